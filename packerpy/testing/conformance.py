"""What every plug-in must keep to; its author calls these from a test, with a declaration of each kind.

Each function raises ``AssertionError`` with a sentence that says what is wrong.
"""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import attrs

from packerpy.contracts import SourceSpec
from packerpy.declare import Secret
from packerpy.declare.walk import find
from packerpy.errors import CancelledError, PackerpyError
from packerpy.plan.functions import Unkeyable
from packerpy.plan.keys import Encoder
from packerpy.plan.known import Known
from packerpy.testing.run import TestRun, make_run
from packerpy.values import Problem

_METHODS = {
    "source": ("preflight", "boot", "capture"),
    "communicator": ("connect",),
    "provisioner": ("apply",),
    "post-processor": ("process",),
    "data": ("read",),
}


def check_declaration(spec: Any, role: str) -> None:
    """A declaration is a frozen, comparable value; ``check`` is offline and pure; ``load`` answers its worker.

    :param role: ``source``, ``communicator``, ``provisioner``, ``post-processor`` or ``data``.
    """
    _is_value(spec)
    _check_is_pure(spec)
    worker = spec.load()
    missing = [name for name in _METHODS[role] if not callable(getattr(worker, name, None))]
    assert not missing, f"load() of {spec.kind} answers something without {', '.join(missing)}"
    if role in ("provisioner", "post-processor", "data"):
        assert isinstance(spec.title, str), f"{spec.kind} has no title"
        assert "\n" not in spec.title, f"the title of {spec.kind} has more than one line"


def _is_value(spec: Any) -> None:
    cls = type(spec)
    assert isinstance(getattr(cls, "kind", None), str), f"{cls.__name__} has no kind"
    assert attrs.has(cls), f"{cls.__name__} is not an attrs class"
    field = attrs.fields(cls)[0].name if attrs.fields(cls) else None
    if field is not None:
        try:
            setattr(spec, field, None)
        except attrs.exceptions.FrozenInstanceError:
            pass
        else:
            raise AssertionError(f"{cls.__name__} is not frozen")
    again = attrs.evolve(spec)
    assert again == spec, f"two equal {cls.__name__} are not equal"
    assert hash(again) == hash(spec), f"two equal {cls.__name__} hash differently"
    secrets = list(find(spec, Secret))
    shown = f"{spec!r}"
    for secret in secrets:
        assert secret.value is None or secret.value not in shown, f"the repr of {cls.__name__} shows a secret"


def _check_is_pure(spec: Any) -> None:
    before = copy.copy(spec)
    with _offline():
        first, second = tuple(spec.check()), tuple(spec.check())
    assert all(isinstance(problem, Problem) for problem in first), f"check() of {spec.kind} must yield Problem"
    assert first == second, f"check() of {spec.kind} answers differently when asked twice"
    assert before == spec, f"check() of {spec.kind} changes the declaration"


@contextmanager
def _offline() -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("check() uses the network")

    with mock.patch.object(socket.socket, "connect", refuse), mock.patch("socket.getaddrinfo", refuse):
        yield


def check_keyable(spec: Any) -> None:
    """Everything in the declaration has a content that can be hashed, so that its results can be re-used."""
    known = Known(secrets=dict.fromkeys(find(spec, Secret), "hash"))
    try:
        Encoder(known, lambda _: "key").encode(spec)
    except Unkeyable as reason:
        raise AssertionError(f"{spec.kind} cannot be keyed: {reason}") from None


def check_boot_leaves_nothing(spec: SourceSpec, folder: Path, inventory: Callable[[TestRun], object]) -> None:
    """Booting, and cancelling it at each thing it says or acquires, leaves nothing behind.

    :param folder: an empty folder to work in.
    :param inventory: answers, comparably, what there is on the platform.
    """
    points = _boot_once(spec, folder / "whole", inventory, cancel_at=None)
    for point in range(points):
        _boot_once(spec, folder / f"cancelled-{point}", inventory, cancel_at=point)


def _boot_once(spec: SourceSpec, folder: Path, inventory: Callable[[TestRun], object], *, cancel_at: int | None) -> int:
    """Boot, perhaps cancelling at the given acquisition; answers how many there were."""
    folder.mkdir(parents=True)
    run = make_run(folder)
    before = inventory(run)
    acquired = 0
    intend = run.journal.intend

    def counting(*args: Any, **kwargs: Any) -> int:
        nonlocal acquired
        if cancel_at == acquired:
            run.cancellation.request()
        acquired += 1
        return intend(*args, **kwargs)

    with mock.patch.object(run.journal, "intend", counting):
        try:
            spec.load().boot(run)
        except CancelledError:
            assert cancel_at is not None, f"{spec.kind} says it was cancelled, and was not"
        except PackerpyError as error:
            assert cancel_at is not None, f"{spec.kind} does not boot: {error}"
    left = run.close(failed=True)
    assert not left, f"{spec.kind} could not undo: {left}"
    after = inventory(run)
    assert before == after, f"{spec.kind} left something behind when cancelled at {cancel_at}: {after}"
    assert not run.journal.entries(run.id), f"{spec.kind} left journal entries"
    return acquired
