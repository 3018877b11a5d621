"""A plain Python function as a provisioning step or a test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.image import Step
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner


@declaration
class Function:
    """Calls ``call`` with a connection to the machine.

    :param call: takes one argument, a ``fabric.Connection``-like object (a ``testinfra`` host when its parameter is
        named ``host``); whatever it raises fails the step.
    :param title: one line for people; the function's name by default.
    """

    kind: ClassVar[str] = "function"
    support: ClassVar[tuple[Support, ...]] = (
        Support("functions as steps and tests", "OpenSSH server; Debian 12 guests and trees", "run"),
    )

    call: Callable[..., Any]
    name: str = attrs.field(default="", kw_only=True)

    @property
    def title(self) -> str:
        """The given name, or the function's own."""
        return self.name or f"{getattr(self.call, '__name__', 'function')}()"

    def check(self) -> Iterable[Problem]:
        """It must take exactly one argument without a default."""
        try:
            signature = inspect.signature(self.call)
        except (TypeError, ValueError):
            return
        required = [
            p for p in signature.parameters.values() if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD
        ]
        if len(required) != 1:
            yield Problem(
                what="a function step takes one argument, the connection",
                seen=f"{self.title} takes {len(required)}",
                fix="declare it as `def step(c): …` (bind other arguments with functools.partial)",
            )

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.python.worker import FunctionWorker

        return FunctionWorker(self)


def as_spec(step: Step) -> ProvisionerSpec:
    """A plain function becomes a :class:`Function`; a declaration stays what it is."""
    if callable(step) and not inspect.isclass(step) and not hasattr(step, "load"):
        return Function(step)
    return cast(ProvisionerSpec, step)
