"""Whatever is known only later may stand in every field of every declaration."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import pytest

import packerpy as pp
from packerpy.backends.amazon.access import Access, Vault
from packerpy.backends.amazon.specs.fast_launch import FastLaunch, LaunchTemplate
from packerpy.backends.bootstrap.users import User
from packerpy.backends.qemu.vnc import Vnc
from packerpy.contracts import CommunicatorSpec, HasResources, ProvisionerSpec
from packerpy.declare import Later, Output, Secret
from packerpy.declare.fill import fill
from packerpy.declare.fit import _hints
from packerpy.declare.walk import find
from packerpy.errors import DeclarationError
from packerpy.kit.boot_steps import BootStep
from packerpy.kit.media import Media
from packerpy.kit.places import Download
from packerpy.kit.web_server import WebServer
from packerpy.plan import Known, TaskKind, plan
from packerpy.plan.keys import paths_read
from packerpy.registry import Registered, registered
from packerpy.validate import collect, validate
from packerpy.values import Artifact, Problem
from tests.conformance.test_declarations import SAMPLES

PLAIN: Mapping[tuple[str, str], str] = {
    ("function", "call"): "what a user's function does is in its text; a value is none",
}
"""Fields that must be given themselves, by kind and name, and why."""

CONVERTED: Mapping[tuple[str, str], object] = {
    ("qemu", "boot_steps"): [["<esc>", "leave the menu"]],
    ("qemu", "cd"): {"user-data": "x"},
    ("qemu", "cdroms"): ["/etc/hostname"],
    ("qemu", "extra_disks"): ["1 GiB", 1 << 30],
    ("qemu", "floppy"): ["/etc/hostname"],
    ("qemu", "host_port"): 2222,
    ("qemu", "http"): "/etc",
    ("qemu", "kernel"): "/etc/hostname",
}
"""What is given to fields whose converters take something else than their type says."""

INSIDE: Mapping[type, Any] = {
    BootStep: BootStep("<esc>"),
    FastLaunch: FastLaunch(),
    LaunchTemplate: LaunchTemplate(id="lt-1"),
    Vault: Vault(role="images"),
    Vnc: Vnc(),
    Access: Access(),
    pp.amazon.Disk: pp.amazon.Disk(device="/dev/xvdg", size="1 GiB"),
    pp.amazon.Volume: pp.amazon.Volume(device="/dev/xvdg", size="1 GiB"),
    Download: Download("/etc/hostname"),
    Media: Media(files="/etc/hostname"),
    WebServer: WebServer("/etc"),
    pp.Bastion: pp.Bastion(host="bastion", user="me", agent=True),
    pp.Proxy: pp.Proxy(host="proxy"),
    pp.SSH: pp.SSH(),
    pp.Sums: pp.Sums("SHA256SUMS"),
    User: User("me"),
}
"""Declarations that stand in fields of others."""

_GIVEN: Mapping[Any, object] = {
    Any: "x",
    bool: True,
    float: 2,
    int: 1,
    str: "x",
    CommunicatorSpec: pp.SSH(),
    Output: pp.Output("base"),
    ProvisionerSpec: pp.Shell("true"),
    Secret: pp.Secret(value="hush-hush"),
    **INSIDE,
}


def _given(hint: Any) -> object:
    """Something that a user may give to a field of this type."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return next(_given(one) for one in inside if one is not type(None))
    if origin is Literal:
        return inside[0]
    if origin is tuple:
        return tuple(_given(one) for one in inside if one is not ...)
    if origin is not None and issubclass(origin, Mapping):
        return {"A": _given(inside[1])}
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return "/etc/hostname"
    return _GIVEN[hint] if hint in _GIVEN else INSIDE[hint]


def _fields(kind: str, cls: Any) -> Iterator[tuple[attrs.Attribute[Any], object]]:
    """Each field that can hold what is known later, with a value for it."""
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        if field.init and (kind, field.name) not in PLAIN:
            value = CONVERTED.get((kind, field.name))
            yield field, _given(hints[field.name]) if value is None else value


def _inside(hint: Any) -> Iterator[type]:
    """The declarations in a type."""
    if isinstance(hint, type) and attrs.has(hint) and not issubclass(hint, _NO_DECLARATIONS):
        yield hint
    for one in get_args(hint):
        yield from _inside(one)


_NO_DECLARATIONS = (Artifact, Later, Output, Secret)


def test_those_inside_are_known() -> None:
    """Each declaration that stands in a field of another is tested as well."""
    waiting: list[type] = [entry.cls for entry in registered()]
    found: set[type] = set()
    while waiting:
        cls = waiting.pop()
        hints = get_type_hints(cls)
        inside = {one for field in attrs.fields(cls) for one in _inside(hints[field.name])} - found
        found |= inside
        waiting += inside
    assert found == set(INSIDE)


def _stands_for(value: Any) -> Later:
    """A variable with this value, or where no variable can have it, something that becomes it."""
    try:
        return pp.Variable("v", default=value)
    except DeclarationError:
        return pp.computed(lambda: value)


DECLARATIONS = [
    *((f"{entry.role} {entry.kind}", entry.kind, SAMPLES[entry.role, entry.kind]) for entry in registered()),
    *((cls.__name__, cls.__name__, sample) for cls, sample in INSIDE.items()),
]


@pytest.mark.parametrize(("kind", "sample"), [one[1:] for one in DECLARATIONS], ids=[one[0] for one in DECLARATIONS])
def test_every_field(kind: str, sample: Any) -> None:
    """Once it is filled, the declaration equals one that was given the value itself."""
    assert set(_hints(type(sample))) == {field.name for field in attrs.fields(type(sample))}
    for field, value in _fields(kind, type(sample)):
        problems: list[Problem] = []
        declared = attrs.evolve(sample, **{field.alias: _stands_for(value)})
        assert isinstance(hash(declared), int), field.name
        filled = fill(declared, _default, problems=problems)
        plain = attrs.evolve(sample, **{field.alias: value})
        assert problems == [], field.name
        assert filled == plain, field.name
        assert hash(filled) == hash(plain), field.name


def _default(later: Later) -> object:
    return later.default if isinstance(later, pp.Variable) else later


def _image(entry: Registered, spec: Any) -> pp.Image:
    """An image that uses it."""
    if entry.role == "source":
        return pp.Image("web", spec)
    if entry.role == "communicator":
        return pp.Image("web", pp.Qemu(disk="/etc/hostname", communicator=spec))
    if entry.role == "provisioner":
        return pp.Image("web", pp.Fake(), provision=[spec])
    if entry.role == "post-processor":
        return pp.Image("web", pp.Fake(), post=[spec])
    return pp.Image("web", pp.Fake(), provision=[pp.Shell(spec)])


def _told(entry: Registered, spec: Any) -> set[Problem]:
    """What is wrong with an image that uses it, or is tested on it."""
    tested = [pp.Image("tested", pp.Fake(), tests=[pp.Check("true")], test_on=spec)] if entry.role == "source" else []
    return set(validate(collect([_image(entry, spec), *tested])))


ENTRIES = pytest.mark.parametrize("entry", registered(), ids=lambda entry: f"{entry.role} {entry.kind}")


@ENTRIES
def test_before_data_are_read(entry: Registered) -> None:
    """Nothing stumbles over a value that is not there yet, or complains of it, unless the field decides the graph."""
    later = pp.FileData("/etc/hostname")["text"]
    sample = SAMPLES[entry.role, entry.kind]
    for field, value in _fields(entry.kind, type(sample)):
        if field.metadata.get("later") == "caller":
            with pytest.raises(DeclarationError, match=f"{field.name}= decides what is built, and {{file.text}} is"):
                attrs.evolve(sample, **{field.alias: later})
            continue
        told, anyway = (
            set(validate(collect([_image(entry, attrs.evolve(sample, **{field.alias: one}))])))
            for one in (later, value)
        )
        assert told <= anyway, field.name


@pytest.mark.parametrize("entry", [e for e in registered() if e.role == "provisioner"], ids=lambda entry: entry.kind)
def test_known_only_by_the_machine(entry: Registered) -> None:
    """Such a value may stand in every field of a step: it is planned, unless the field names a file to read."""
    sample = SAMPLES[entry.role, entry.kind]
    known = Known(secrets=dict.fromkeys(find(sample, Secret), "hash"))
    for field, _ in _fields(entry.kind, type(sample)):
        if field.metadata.get("later") == "caller":
            continue
        graph = collect([_image(entry, attrs.evolve(sample, **{field.alias: pp.this_build.fact("f")}))])
        if any("files of the host are read" in problem.what for problem in validate(graph)):
            continue
        for step in plan(graph, known).builds["web"].of(TaskKind.STEP):
            assert "\n" not in step.title
            assert all(isinstance(path, Path) for path in paths_read([step.spec]))


@pytest.mark.parametrize("entry", [e for e in registered() if e.role == "source"], ids=lambda entry: entry.kind)
def test_resources(entry: Registered) -> None:
    """What a source asks of the host can be asked before all of it is known."""
    for field, _ in _fields(entry.kind, entry.cls):
        if field.metadata.get("later") != "caller":
            declared = attrs.evolve(SAMPLES[entry.role, entry.kind], **{field.alias: pp.Variable("v")})
            assert not isinstance(declared, HasResources) or declared.resources().memory >= 0


class _Strange:
    """Fits nowhere, and nothing can be done with it."""

    def __repr__(self) -> str:
        return "something strange"


@pytest.mark.parametrize(("kind", "sample"), [one[1:] for one in DECLARATIONS], ids=[one[0] for one in DECLARATIONS])
def test_a_value_that_does_not_fit(kind: str, sample: Any) -> None:
    """It is one problem of its field, with what was seen; the other fields are filled all the same."""
    hints = get_type_hints(type(sample))
    strange = pp.computed(_Strange)
    for field, _ in _fields(kind, type(sample)):
        if hints[field.name] is Any:
            continue
        problems: list[Problem] = []
        declared = attrs.evolve(sample, **{field.alias: strange})
        filled = fill(declared, _default, problems=problems)
        assert [problem.where for problem in problems] == [field.name]
        assert "something strange" in (problems[0].seen or ""), field.name
        assert strange in (filled_value := getattr(filled, field.name), *_items(filled_value)), field.name


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: f"{entry.role} {entry.kind}")
def test_signatures_say_so(entry: Registered) -> None:
    """Whoever asks for the types of a constructor is told."""
    fields = {field.alias: field for field in attrs.fields(entry.cls) if field.init}
    for name, parameter in inspect.signature(entry.cls).parameters.items():
        said = re.search(r"\b(Later|Text|Place|Word|Any)\b", str(parameter.annotation))
        assert said or name not in fields or not isinstance(fields[name].type, str), name
