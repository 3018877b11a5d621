"""Validation finds every problem at once and says where, what was seen and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

import packerpy as pp


def _texts(*images: pp.Image, **kwargs: object) -> str:
    return "\n".join(str(problem) for problem in pp.validate(*images, **kwargs))  # type: ignore[arg-type]


def test_a_good_image_has_no_problem() -> None:
    """The empty answer means that all is well."""
    assert pp.validate(pp.Image("web", pp.Fake())) == ()


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("", "needs a name"),
        ("a/b", "characters that no name may have"),
        ("a\\b", "characters that no name may have"),
        ("a\nb", "characters that no name may have"),
        ("..", "begins or ends with a separator"),
        (".hidden", "begins or ends with a separator"),
        ("-dash", "begins or ends with a separator"),
        (" space", "begins or ends with a separator"),
        ("a..b", "two dots"),
        ("x" * 101, "longer than 100"),
    ],
)
def test_bad_names(name: str, fragment: str) -> None:
    """A name that could not be a file's name everywhere is refused."""
    assert fragment in _texts(pp.Image(name, pp.Fake()))


@pytest.mark.parametrize("name", ["web", "web server", "wéb-中文", "a.b_c-d", "web-été"])
def test_good_names(name: str) -> None:
    """Spaces inside and letters of any script are fine."""
    assert _texts(pp.Image(name, pp.Fake())) == ""


def test_all_problems_at_once() -> None:
    """Three things wrong in two images give three problems."""
    problems = pp.validate(pp.Image("a/b", pp.Fake(memory=-1)), pp.Image("c"))
    assert len(problems) == 3


def test_name_clash() -> None:
    """Two different images of one name clash; the same image twice does not."""
    image = pp.Image("web", pp.Fake())
    assert _texts(image, image, pp.Image("web", pp.Fake())) == ""
    assert "two different images have the same name" in _texts(image, pp.Image("web", pp.Fake(content="x")))


def test_sources_of_the_same_kind_need_names() -> None:
    """Two sources of a kind without names would be one build twice."""
    assert "2 builds have this name" in _texts(pp.Image("web", sources=[pp.Fake(), pp.Fake(content="x")]))
    assert _texts(pp.Image("web", sources=[pp.Fake(), pp.Fake(name="b")])) == ""


def test_unknown_reference() -> None:
    """A reference by name to an image that is not there names those that are."""
    text = _texts(pp.Image("web", pp.Fake(disk=pp.Output("bse"))), pp.Image("base", pp.Fake()))
    assert "image that is not there" in text
    assert "base" in text


def test_reference_to_one_of_several_sources() -> None:
    """It must say which, and what it says must exist."""
    base = pp.Image("base", sources=[pp.Fake(), pp.Fake(name="b")])
    assert "several sources" in _texts(pp.Image("web", pp.Fake(disk=base.output())))
    assert "does not have" in _texts(pp.Image("web", pp.Fake(disk=base.output(source="c"))))
    assert _texts(pp.Image("web", pp.Fake(disk=base.output(source="b")))) == ""


def test_ring() -> None:
    """Images that stand on each other by name are a ring, and it is shown."""
    one, two = pp.Image("one", pp.Fake(disk=pp.Output("two"))), pp.Image("two", pp.Fake(disk=pp.Output("one")))
    text = _texts(one, two)
    assert "ring" in text
    assert "one" in text
    assert "two" in text


def test_what_is_no_declaration() -> None:
    """A string where a provisioner belongs is pointed at by its place."""
    assert "web.provision[0]: is not a provisioner or a function" in _texts(
        pp.Image("web", pp.Fake(), provision=["apt-get update"])  # type: ignore[list-item]
    )


def test_function_with_wrong_arguments() -> None:
    """A function step takes exactly one argument."""

    def two(a: object, b: object) -> None:
        raise AssertionError

    assert "takes 2" in _texts(pp.Image("web", pp.Fake(), provision=[two]))


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset, unknown and not allowed variables are problems; the environment sets them, the caller wins."""
    image = pp.Image("web", pp.Fake(), provision=[pp.Shell("true", env={"R": pp.Variable("release")})])
    assert "the variable is not set" in _texts(image)
    assert _texts(image, variables={"release": "12"}) == ""
    assert "no declaration has this variable" in _texts(image, variables={"release": "12", "relaese": "12"})
    monkeypatch.setenv("PACKERPY_VAR_release", "11")
    assert _texts(image) == ""
    strict = pp.Image(
        "web", pp.Fake(), provision=[pp.Shell("true", env={"R": pp.Variable("release", allowed=("12", "13"))})]
    )
    assert "not allowed" in _texts(strict)
    assert _texts(strict, variables={"release": "13"}) == ""


def test_same_output_folder() -> None:
    """Two images that would write to the same folder are told apart before anything is built."""
    text = _texts(pp.Image("a", pp.Fake(), output="out"), pp.Image("b", pp.Fake(), output=Path("out")))
    assert "same output folder as a" in text


def test_tests_need_something_that_boots_them() -> None:
    """An image whose source cannot boot a finished disk must say what does."""
    text = _texts(pp.Image("base", pp.Bootstrap(suite="bookworm"), tests=[pp.Check("true")]))
    assert "cannot be booted by its own source" in text
    good = pp.Image("base", pp.Bootstrap(suite="bookworm"), tests=[pp.Check("true")], test_on=pp.Qemu())
    assert _texts(good) == ""
    assert "there is no disk to boot from" in _texts(pp.Image("web", pp.Qemu()))


def test_a_communicators_own_problems() -> None:
    """What is wrong with how a machine is reached is told with its place in the source."""
    reached = pp.SSH(bastions=pp.Bastion(host="gate", user="me"))
    image = pp.Image("web", source=pp.Qemu(disk=__file__, communicator=reached))
    found = {problem.where: problem.what for problem in pp.validate(image)}
    assert found["web.source.communicator.bastions[0]"] == "nothing to log in to the bastion with"
    wrong = pp.Image("web", source=pp.Qemu(disk=__file__, communicator="ssh"))  # type: ignore[arg-type]
    assert "is not a communicator" in str(pp.validate(wrong))


def test_values_of_the_build_in_a_source() -> None:
    """Where the source can fill them in they may stand, elsewhere they are told with their field."""
    good = pp.Qemu(iso="a.iso", http={"keys": pp.this_build.ssh_public_key}, boot_command=pp.this_build.http_url)
    assert "is known only while" not in _texts(pp.Image("good", good))
    told = _texts(
        pp.Image("bad", pp.Qemu(disk="a", user=pp.this_build.ssh_public_key, boot_command=pp.this_build.host))
    )
    assert "bad.source.user: is known only while there is a machine" in told
    assert "bad.source.boot_command: is known only while there is a machine" in told
