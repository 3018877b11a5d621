"""One image: where it starts, what is done to it, how it is tested, what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from packerpy.contracts import PostProcessorSpec, ProvisionerSpec, SourceSpec
from packerpy.declare.reference import Output
from packerpy.errors import DeclarationError

Step = ProvisionerSpec | Callable[..., Any]
"""A provisioning step or a test: a declaration, or a plain function taking a connection."""

Post = PostProcessorSpec | Callable[..., Any]
"""A post-processor: a declaration, or a plain function taking the artifact."""

Chain = tuple[Post, ...]

Keep = Literal["output", "cache", "no"]


def _steps(value: Iterable[Step] | Step) -> tuple[Step, ...]:
    """One step or many, as a tuple."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if isinstance(value, Iterable):
        return tuple(value)
    return (value,)


def _chains(value: Iterable[Post | Sequence[Post]]) -> tuple[Chain, ...]:
    """Each post-processor stands for a chain of its own; a list inside the list is one chain."""
    return tuple(tuple(item) if isinstance(item, (list, tuple)) else (item,) for item in value)


def _sources(value: Iterable[SourceSpec]) -> tuple[SourceSpec, ...]:
    return tuple(value)


@attrs.frozen(init=False)
class Image:
    """A machine image as it is wanted.

    :param name: its name; also the name of its folder and files.
    :param source: where its machine comes from; or
    :param sources: several, to build the same image on several platforms in parallel.
    :param provision: steps, in order; a plain function is called with a ``fabric.Connection``.
    :param tests: checks, run on a throw-away copy of the finished image; a failed one fails the build.
    :param test_on: the source that boots the copy; by default the image's own, where that can boot a finished disk.
    :param post: post-processors: an item is a chain of its own, a list is a chain whose members feed each other; a
        plain function is called with the artifact.
    :param output: the folder of its results; default ``<output folder of the build>/<build name>``.
    :param keep: where its results stay: ``output`` delivers them there; ``cache`` leaves them in the cache folder only,
        for images that stand on it; ``no`` removes them at the end of the run, and makes them again for the next one
        that needs them.
    :param error_cleanup: steps that run on the machine when the build fails after it was reached: to save logs, to give
        a licence back. Not on a cancel, and not when everything is left as it is.
    """

    name: str
    sources: tuple[SourceSpec, ...] = attrs.field(converter=_sources)
    provision: tuple[Step, ...] = attrs.field(converter=_steps)
    tests: tuple[Step, ...] = attrs.field(converter=_steps)
    test_on: SourceSpec | None
    post: tuple[Chain, ...] = attrs.field(converter=_chains)
    output_folder: Path | None = attrs.field(converter=attrs.converters.optional(Path))
    keep: Keep
    error_cleanup: tuple[Step, ...] = attrs.field(converter=_steps)

    def __init__(
        self,
        name: str,
        source: SourceSpec | None = None,
        *,
        sources: Iterable[SourceSpec] = (),
        provision: Iterable[Step] | Step = (),
        tests: Iterable[Step] | Step = (),
        test_on: SourceSpec | None = None,
        post: Iterable[Post | Sequence[Post]] = (),
        output: str | Path | None = None,
        keep: Keep = "output",
        error_cleanup: Iterable[Step] | Step = (),
    ) -> None:
        listed = tuple(sources)
        if source is not None and listed:
            raise DeclarationError(
                f"image {name!r} has both source= and sources=", resolution="put all of them into sources="
            )
        chosen = listed or ((source,) if source is not None else ())
        self.__attrs_init__(name, chosen, provision, tests, test_on, post, output, keep, error_cleanup)

    def with_parts(self, **parts: Any) -> Image:
        """The same image with some parts replaced, by the names of the constructor's arguments."""
        now = {
            "sources": self.sources,
            "provision": self.provision,
            "tests": self.tests,
            "test_on": self.test_on,
            "post": self.post,
            "output": self.output_folder,
            "keep": self.keep,
            "error_cleanup": self.error_cleanup,
        }
        return Image(self.name, **{**now, **parts})

    def output(self, name: str = "disk", *, source: str | None = None) -> Output:
        """A reference to what this image leaves behind, to be given to another declaration.

        :param name: which output; ``disk`` for disk images.
        :param source: the kind (or build name) of the source, when the image has several.
        """
        return Output(self, name, source=source)
