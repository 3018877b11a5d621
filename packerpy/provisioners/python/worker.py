"""Calls the function."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import Any

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import CancelledError, Disconnected, PackerpyError, PluginError, ProvisionError
from packerpy.provisioners.python.connection import connection_to
from packerpy.provisioners.python.specs import Function
from packerpy.values import Machine

_OURS = str(Path(__file__).resolve())


class FunctionWorker(Provisioner):
    """Gives it a connection, or a ``testinfra`` host when its parameter is named ``host``."""

    def __init__(self, spec: Function) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        if self._wants_host():
            argument = _host(run, machine, channel)
            self._call(run, argument)
            return
        connection = connection_to(run, machine, channel)
        try:
            # A thread of the library waits for the command; closing its session is what wakes it.
            with run.cancellation.calling(connection.abandon):
                self._call(run, connection)
        finally:
            connection.close()

    def _call(self, run: Run, argument: object) -> None:
        try:
            self._spec.call(argument)
        except (CancelledError, Disconnected):
            raise
        except Exception as error:
            run.cancellation.check()  # what the library raises about a session that was closed by a cancel
            raise self._failed(error) from error

    def _wants_host(self) -> bool:
        try:
            parameters = list(inspect.signature(self._spec.call).parameters)
        except (TypeError, ValueError):
            return False
        return parameters[:1] == ["host"]

    def _failed(self, error: Exception) -> ProvisionError:
        said = str(error).strip()
        brief = f"{self._spec.title} raised {type(error).__name__}"
        if said and not isinstance(error, PackerpyError):
            brief += f": {said.splitlines()[0]}"
        return ProvisionError(brief, details=_user_part(error))


def _user_part(error: Exception) -> str:
    """The traceback without our own frames at its top and without those of libraries at its end."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != _OURS]
    users = [frame for frame in frames if "site-packages" not in frame.filename and "packerpy" not in _package(frame)]
    lines = traceback.format_list(users or frames)
    return "Traceback (most recent call last):\n" + "".join(lines + traceback.format_exception_only(error)).rstrip()


def _package(frame: traceback.FrameSummary) -> str:
    """``packerpy`` for a frame in our own code."""
    return "packerpy" if Path(_OURS).parents[2] in Path(frame.filename).resolve().parents else ""


def _host(run: Run, machine: Machine, channel: Communicator) -> Any:
    try:
        from packerpy.provisioners.python.testinfra_host import make_host
    except ImportError as error:
        raise PluginError(
            "a test that takes `host` needs pytest-testinfra, which is not installed",
            resolution="pip install 'packerpy[testinfra]', or name the parameter `c` to get a connection",
        ) from error
    return make_host(run, machine, channel)
