"""All problems of a set of images."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, get_args

import attrs

from packerpy.contracts import TestsArtifacts, offers
from packerpy.declare.fields import known
from packerpy.declare.image import Image, Keep, Step
from packerpy.kit.choices import suggestion
from packerpy.provisioners.meta.specs import Meta
from packerpy.registry import as_post, as_spec
from packerpy.validate.build_values import check_build_values
from packerpy.validate.chains import check_chains
from packerpy.validate.data import check_data, checked
from packerpy.validate.graph import Graph
from packerpy.values import Artifact, Problem

_LONGEST_NAME = 100
"""Characters; leaves room for suffixes below the 255 bytes that Linux file systems allow."""


def validate(graph: Graph) -> tuple[Problem, ...]:
    """Everything that is wrong with the graph and the declarations in it, in the order of the builds."""
    problems = list(graph.problems)
    for image in graph.images:
        problems.extend(problem.within(image.name or "image") for problem in _of_image(image))
    problems.extend(_of_globs(graph))
    problems.extend(check_data(graph.builds.values()))
    problems.extend(check_build_values(graph))
    outputs: dict[str, str] = {}
    for build in graph.builds.values():
        problems.extend(problem.within("source").within(build.name) for problem in _of_source(build.source))
        problems.extend(problem.within(build.name) for problem in check_chains(build))
        if build.image.output_folder is not None:
            folder = str(build.image.output_folder.absolute())
            if folder in outputs:
                what = f"writes to the same output folder as {outputs[folder]}"
                problems.append(Problem(where=build.name, what=what, seen=folder, fix="give each its own output="))
            outputs[folder] = build.name
    return tuple(dict.fromkeys(problems))


def _of_image(image: Image) -> Iterator[Problem]:
    yield from _of_name(image.name)
    if not image.sources:
        yield Problem(where="sources", what="has no source", fix="give source= or sources=[…]")
    for place, steps in _steps_of(image):
        for index, step in enumerate(steps):
            for problem in _of_spec(as_spec(step), "a provisioner or a function"):
                yield problem.within(f"{place}[{index}]")
    for row, chain in enumerate(image.post):
        for column, item in enumerate(chain):
            place = f"post[{row}]" if len(chain) == 1 else f"post[{row}][{column}]"
            for problem in _of_spec(as_post(item), "a post-processor or a function"):
                yield problem.within(place)
    yield from _of_tests(image)
    yield from _of_keep(image)


def _steps_of(image: Image) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """Fields of an image that hold steps."""
    return (("provision", image.provision), ("tests", image.tests), ("error_cleanup", image.error_cleanup))


def _of_keep(image: Image) -> Iterator[Problem]:
    if image.keep not in get_args(Keep):
        yield Problem(
            where="keep", what="is not known", seen=repr(image.keep), fix=suggestion(str(image.keep), get_args(Keep))
        )
    elif image.keep != "output" and image.output_folder is not None:
        yield Problem(
            where="keep",
            what="an image that is not delivered has no output folder",
            seen=f"keep={image.keep!r}, output={str(image.output_folder)!r}",
            fix="leave one of them out",
        )


def _of_globs(graph: Graph) -> Iterator[Problem]:
    """Steps that name builds which are not there; steps may be shared, so a build of any image will do."""
    names = sorted({name for build in graph.builds.values() for name in build.names})
    for image in graph.images:
        for place, steps in _steps_of(image):
            for index, step in enumerate(steps):
                globs: Iterable[str] = step.globs() if isinstance(step, Meta) else ()
                for glob in globs:
                    if not any(fnmatchcase(name, glob) for name in names):
                        problem = Problem(what=f"no build is called {glob!r}", fix=f"use one of {', '.join(names)}")
                        yield problem.within(f"{place}[{index}]").within(image.name)


def _of_tests(image: Image) -> Iterator[Problem]:
    if image.test_on is not None:
        # A source that only boots the finished image may leave out what it boots.
        booting = image.test_on
        if offers(booting, TestsArtifacts):
            booting = booting.for_test(Artifact(kind="disk", id=image.name))
        yield from (problem.within("test_on") for problem in _of_source(booting))
    if not image.tests:
        return
    for source in (image.test_on,) if image.test_on is not None else image.sources:
        if not offers(source, TestsArtifacts):
            yield Problem(
                where="tests",
                what="the finished image cannot be booted by its own source",
                seen=getattr(source, "kind", repr(source)),
                fix="say what boots it, e.g. test_on=packerpy.Qemu()",
            )


def _of_name(name: object) -> Iterator[Problem]:
    """A name is one file's name on every platform: no separators, nothing invisible."""
    fix = "use letters, digits, and single spaces, dots, dashes or underscores between them"
    if not isinstance(name, str) or not name:
        yield Problem(where="name", what="an image needs a name", seen=repr(name), fix=fix)
        return
    bad = sorted({c for c in name if not (c.isalnum() or c in " ._-" or unicodedata.category(c).startswith("M"))})
    if bad:
        yield Problem(where="name", what=f"has characters that no name may have: {bad}", seen=repr(name), fix=fix)
    elif name != name.strip(" .-") or ".." in name:
        yield Problem(where="name", what="begins or ends with a separator, or has two dots", seen=repr(name), fix=fix)
    if len(name) > _LONGEST_NAME:
        yield Problem(
            where="name", what=f"is longer than {_LONGEST_NAME} characters", seen=str(len(name)), fix="shorten it"
        )


def _of_source(source: Any) -> Iterator[Problem]:
    """Its own problems, and those of the communicator that is declared in it."""
    yield from _of_spec(source, "a source")
    declared = getattr(source, "communicator", None) if attrs.has(type(source)) else None
    if declared is not None and known(declared) and "communicator" in attrs.fields_dict(type(source)):
        yield from (problem.within("communicator") for problem in _of_spec(declared, "a communicator"))


def _of_spec(spec: object, wanted: str) -> Iterator[Problem]:
    """Its own problems, or that it is no declaration at all."""
    if inspect.isclass(spec) or not callable(getattr(spec, "check", None)) or not callable(getattr(spec, "load", None)):
        yield Problem(what=f"is not {wanted}", seen=repr(spec)[:80], fix="see the reference for what can stand here")
        return
    yield from checked(spec)
