"""A plain Python function as a post-processor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.image import Post
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.python.worker import Worker


@declaration
class PostFunction(PostProcessorSpec):
    """Calls ``call`` with the artifact; a plain function in ``post=`` becomes one of these.

    ``def publish(artifact): …`` or ``def publish(artifact, run): …``; ``run`` is the task's
    :class:`~packerpy.contracts.Run`: ``run.say()``, ``run.progress()``, ``run.reveal(secret)``, ``run.cancellation``,
    and ``run.staging``, the folder for new files, which becomes the build's results.

    It answers an :class:`Artifact`, a path or several (the files of the new artifact), or nothing (the artifact goes
    on as it is). Whatever it raises fails the build. Its source text, and what it uses of its module, is its key.

    :param call: takes one or two arguments.
    :param name: one line for people; the function's name by default.
    :param keep_input: whether the input stays; by default it does.
    """

    kind: ClassVar[str] = "function"
    support: ClassVar[tuple[Support, ...]] = (Support("functions as post-processors", "whole builds", "run"),)
    keeps_input: ClassVar[bool] = True

    call: Callable[..., Any]
    name: str = attrs.field(default="", kw_only=True)
    keep_input: bool | None = attrs.field(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """The given name, or the function's own."""
        return self.name or f"{getattr(self.call, '__name__', 'function')}()"

    def check(self) -> Iterable[Problem]:
        """It must take one or two arguments without a default."""
        count = self.arguments()
        if count is not None and count not in (1, 2):
            yield Problem(
                what="a function takes the artifact, and perhaps the run",
                seen=f"{self.title} takes {count}",
                fix="declare it as `def step(artifact, run): …` (bind other arguments with functools.partial)",
            )

    def arguments(self) -> int | None:
        """How many arguments it must be given; ``None`` when it does not tell."""
        try:
            parameters = inspect.signature(self.call).parameters.values()
        except (TypeError, ValueError):
            return None
        return sum(p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD for p in parameters)

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.python.worker import Worker

        return Worker(self)


def as_post(item: Post) -> PostProcessorSpec:
    """A plain function becomes a :class:`PostFunction`; a declaration stays what it is."""
    if callable(item) and not inspect.isclass(item) and not hasattr(item, "load"):
        return PostFunction(item)
    return cast(PostProcessorSpec, item)
