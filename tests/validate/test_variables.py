"""Variables: where their values come from, in what order, of what type, and every mistake that can be made with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.errors import DeclarationError
from packerpy.execute.calls import undeclared
from packerpy.plan import TaskKind
from packerpy.testing.specs import Steps


def _image(variable: Any) -> pp.Image:
    """Used in a field that takes anything."""
    return pp.Image("web", pp.Fake(), provision=[Steps(print, secret=variable)])


def _value(variable: Any, tmp_path: Path, **options: Any) -> Any:
    """What a field gets."""
    planned = pp.plan(_image(variable), output=tmp_path, **options)
    (step,) = planned.builds["web"].of(TaskKind.STEP)
    return step.spec.secret


def _problems(variable: Any, **options: Any) -> str:
    return "\n".join(str(problem) for problem in pp.validate(_image(variable), **options))


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default, environment, files in order, named one by one: each goes over those before."""
    (tmp_path / "one.toml").write_text('release = "file one"\n')
    (tmp_path / "two.json").write_text('{"release": "file two"}')
    release = pp.Variable("release", default="default")
    assert _value(release, tmp_path) == "default"
    monkeypatch.setenv("PACKERPY_VAR_release", "environment")
    assert _value(release, tmp_path) == "environment"
    assert _value(release, tmp_path, variable_files=[tmp_path / "one.toml"]) == "file one"
    files = [tmp_path / "one.toml", tmp_path / "two.json"]
    assert _value(release, tmp_path, variable_files=files) == "file two"
    assert _value(release, tmp_path, variable_files=files[::-1]) == "file one"
    assert _value(release, tmp_path, variable_files=files, variables={"release": "named"}) == "named"


@pytest.mark.parametrize(
    ("wanted", "given", "value"),
    [
        (None, "2", "2"),
        (str, 2, "2"),
        (str, True, "true"),
        (int, "2048", 2048),
        (int, 2048, 2048),
        (float, "0.5", 0.5),
        (float, 2, 2.0),
        (bool, "true", True),
        (bool, False, False),
        (list, '["a", 1]', ("a", 1)),
        (list[str], ["a", "b"], ("a", "b")),
        (list[int], "[1, 2]", (1, 2)),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dict, {"a": {"b": [1]}}, {"a": {"b": (1,)}}),
        (list[list[int]], [[1], [2]], ((1,), (2,))),
    ],
)
def test_types(wanted: Any, given: Any, value: Any, tmp_path: Path) -> None:
    """What is given as text becomes the type wanted; what has a type keeps it."""
    found = _value(pp.Variable("v", type=wanted), tmp_path, variables={"v": given})
    assert found == value
    assert type(found) is type(value) or isinstance(value, dict)


@pytest.mark.parametrize("default", [1, 0.5, True, ["a"], {"a": 1}])
def test_the_type_follows_the_default(default: Any, tmp_path: Path) -> None:
    """Without a type, the default tells it."""
    assert _value(pp.Variable("v", default=default), tmp_path, variables={"v": json.dumps(default)}) == _value(
        pp.Variable("v", default=default), tmp_path
    )
    assert "wrong type" in _problems(pp.Variable("v", default=default), variables={"v": "{["})


def test_fields_that_are_no_text(tmp_path: Path) -> None:
    """Memory and processors of a machine take numbers from variables."""
    memory, cpus = pp.Variable("memory", type=int), pp.Variable("cpus", default=1)
    image = pp.Image("web", pp.Fake(memory=memory, cpus=cpus))  # type: ignore[arg-type]
    planned = pp.plan(image, output=tmp_path, variables={"memory": "4096", "cpus": 3})
    source: Any = planned.builds["web"].source
    assert (source.memory, source.cpus) == (4096, 3)
    assert "memory: is negative" in "\n".join(map(str, pp.validate(image, variables={"memory": -1})))


@pytest.mark.parametrize(
    ("variable", "given", "fragment"),
    [
        (pp.Variable("v"), {}, "the variable is not set"),
        (pp.Variable("release"), {"relaese": "x", "release": "y"}, "did you mean `release`"),
        (pp.Variable("v", type=int), {"v": "many"}, "it must be a whole number (seen: many)"),
        (pp.Variable("v", type=int), {"v": 1.5}, "it must be a whole number"),
        (pp.Variable("v", type=int), {"v": True}, "it must be a whole number"),
        (pp.Variable("v", type=float), {"v": "x"}, "it must be a number"),
        (pp.Variable("v", type=bool), {"v": "yes"}, "`true` or `false`"),
        (pp.Variable("v", type=bool), {"v": 1}, "`true` or `false`"),
        (pp.Variable("v", type=list), {"v": "a,b"}, "a list, as JSON"),
        (pp.Variable("v", type=list[int]), {"v": ["a"]}, "it must be a whole number"),
        (pp.Variable("v", type=dict), {"v": [1]}, "a mapping, as JSON"),
        (pp.Variable("v"), {"v": ["a"]}, "it must be a text"),
        (pp.Variable("v", allowed=("bookworm", "trixie")), {"v": "trixi"}, "did you mean `trixie`"),
        (pp.Variable("v", type=int, allowed=(1, 2)), {"v": "3"}, "not allowed (seen: 3)"),
        (pp.Variable("v", validation=(str.isdigit, "Digits only.")), {"v": "x1"}, "v: Digits only. (seen: x1)"),
        (pp.Variable("v", validation=(lambda v: 1 / 0, "No.")), {"v": "x"}, "its validation raised ZeroDivisionError"),
    ],
)  # fmt: skip
def test_mistakes(variable: pp.Variable, given: dict[str, object], fragment: str) -> None:
    """Each is told with the variable, what was seen and what to do; nothing else is complained of."""
    assert fragment in _problems(variable, variables=given)
    assert len(pp.validate(_image(variable), variables=given)) == 1


def test_all_mistakes_at_once() -> None:
    """Every rule of every variable is asked; an unset one does not hide the others, nor makes a field look wrong."""
    one = pp.Variable("one", validation=[(lambda v: len(v) > 3, "Longer."), (str.isdigit, "Digits.")])
    image = pp.Image(
        "web", pp.Bootstrap(suite=pp.Variable("suite")), provision=[pp.Shell(one, pp.Variable("three", type=int))]
    )
    texts = [str(problem) for problem in pp.validate(image, variables={"one": "x", "three": "3.5", "four": "4"})]
    assert [text.partition(":")[0] for text in texts] == ["suite", "one", "one", "three", "four"]


def test_two_variables_of_one_name() -> None:
    """Equal ones are one; different ones are a mistake."""
    first, again, other = pp.Variable("v", default="a"), pp.Variable("v", default="a"), pp.Variable("v", default="b")
    assert pp.validate(pp.Image("web", pp.Fake(), provision=[pp.Shell(first, again)])) == ()
    assert "two different variables" in str(
        pp.validate(pp.Image("web", pp.Fake(), provision=[pp.Shell(first, other)]))[0]
    )


def test_environment_is_read_as_the_type_wants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on the command line; a variable of the environment that nobody declares is nobody's business."""
    monkeypatch.setenv("PACKERPY_VAR_v", "[1]")
    monkeypatch.setenv("PACKERPY_VAR_unknown", "x")
    assert _value(pp.Variable("v", type=list[int]), tmp_path) == (1,)
    assert _value(pp.Variable("v"), tmp_path) == "[1]"


def test_files(tmp_path: Path) -> None:
    """A name that nobody declares is worth a warning, not a failure; a file that declares is told so."""
    shared = tmp_path / "shared.toml"
    shared.write_text('v = "x"\nother = 1\n[table]\na = 1\n')
    assert _problems(pp.Variable("v"), variable_files=[shared]) == ""
    warnings = undeclared(_image(pp.Variable("v")), variable_files=[shared])
    assert [problem.where for problem in warnings] == ["other", "table"]
    shared.write_text('v = "x"\n[variable.v]\ndefault = "y"\n')
    with pytest.raises(DeclarationError, match="cannot read"):
        pp.validate(_image(pp.Variable("v")), variable_files=[tmp_path / "none.toml"])
    shared.write_text('v = "x"\n[variable.w]\ndefault = "y"\n')
    assert "cannot declare any" in _problems(pp.Variable("v"), variable_files=[shared])


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("a.toml", "release =", "cannot read the variables"),
        ("a.json", "{", "cannot read the variables"),
        ("a.json", "[1]", "holds no names and values"),
        ("a.json", '{"v": null}', "gives no value to v"),
        ("a.yaml", "v: x", "cannot tell what"),
        ("a.hcl", 'v = "x"', "cannot tell what"),
    ],
)
def test_bad_files(name: str, content: str, fragment: str, tmp_path: Path) -> None:
    """A file that cannot be used is told with its path."""
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DeclarationError, match=fragment) as failed:
        pp.validate(_image(pp.Variable("v")), variable_files=[path])
    assert str(path) in str(failed.value)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"name": "a-b"}, "not a name"),
        ({"name": "v", "type": set}, "a type that no variable can have"),
        ({"name": "v", "type": int, "default": "x"}, "wrong type"),
        ({"name": "v", "type": int, "allowed": ("x",)}, "wrong type"),
    ],
)
def test_bad_declarations(options: dict[str, Any], fragment: str) -> None:
    """What no variable can be is told where it is declared."""
    with pytest.raises(DeclarationError, match=fragment):
        pp.Variable(**options)


def test_sensitive(tmp_path: Path) -> None:
    """Its value is a secret in every field, in errors and in print; numbers inside a mapping, too."""
    pin = pp.Variable("pin", type=int, default=987654, sensitive=True)
    assert "987654" not in repr(pin)
    assert _value(pin, tmp_path) == pp.Secret(value="987654")
    assert "987654" not in repr(_value(pin, tmp_path))
    mapping = pp.Variable("m", type=dict, sensitive=True)
    assert _value(pp.text("x", mapping), tmp_path, variables={"m": {"a": [12345]}}).parts[1] == {
        "a": (pp.Secret(value="12345"),)
    }
    strict = pp.Variable("s", sensitive=True, allowed=("hunter22",), validation=(lambda v: v.missing, "No."))
    text = _problems(strict, variables={"s": "hunter99"})
    assert "hunter" not in text
    assert text.count("<secret>") == 2
    assert "hunter" not in _problems(pp.Variable("s", type=int, sensitive=True), variables={"s": "hunter99"})


def test_texts_are_composed(tmp_path: Path) -> None:
    """Instead of f-strings and templates: parts that are filled in, and functions of values for what Packer has locals for."""
    release, number = pp.Variable("release", default="bookworm"), pp.Variable("n", default=12)
    assert _value(pp.text("debian-", release, "-", number), tmp_path) == "debian-bookworm-12"
    assert _value(pp.computed(lambda r, n: f"{r.upper()}{n + 1}", release, number), tmp_path) == "BOOKWORM13"
    assert _value(pp.text("x-", pp.computed(str.title, pp.text(release, "-", number))), tmp_path) == "x-Bookworm-12"
    with pytest.raises(DeclarationError, match="computing"):
        pp.validate(_image(pp.computed(lambda r: r.missing, release)))
    with pytest.raises(DeclarationError, match="secret"):
        pp.computed(str.upper, pp.Secret(env="X"))
    with pytest.raises(DeclarationError, match=r"packerpy.text\("):
        f"debian-{release}"
    with pytest.raises(DeclarationError, match="before it has a value"):
        "debian-{}".format(release)  # noqa: UP032  not only f-strings do it
