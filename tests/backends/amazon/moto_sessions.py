"""What moto does not know of a running instance, simulated: Session Manager sessions, and the password of Windows."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

PASSWORD = "Pa55-of-the-simulated-Windows"

_sessions: dict[str, dict[str, Any]] = {}
_asked: dict[str, int] = {}


def install(folder: Path) -> None:
    """Add them to moto's server.

    :param folder: ``session_target`` in it is the port on loopback that stands for every instance's SSH server.
    """
    _sessions_of(folder)
    _passwords()


def active() -> list[str]:
    """Sessions that nobody has ended."""
    return sorted(name for name, session in _sessions.items() if session["Status"] == "Connected")


def _sessions_of(folder: Path) -> None:
    from moto.core.exceptions import JsonRESTError
    from moto.core.responses import ActionResult
    from moto.ssm.responses import SimpleSystemManagerResponse as Response

    def start_session(self: Any) -> Any:
        """Refused at the first call for an instance, whose agent has not reported yet."""
        target = self._get_param("Target")
        _asked[target] = _asked.get(target, 0) + 1
        if _asked[target] == 1:
            raise JsonRESTError("TargetNotConnected", f"{target} is not connected.")
        name = f"packerpy-{len(_sessions):017x}"
        named = {key: self._get_param(key) for key in ("Target", "Reason", "DocumentName", "Parameters")}
        _sessions[name] = {"SessionId": name, "Status": "Connected", **named}
        port = (folder / "session_target").read_text()
        return ActionResult(
            {"SessionId": name, "TokenValue": f"token-of-{name}", "StreamUrl": f"ws://127.0.0.1:{port}"}
        )

    def terminate_session(self: Any) -> Any:
        name = self._get_param("SessionId")
        if name not in _sessions:
            raise JsonRESTError("DoesNotExistException", f"no session {name}")
        _sessions[name]["Status"] = "Terminated"
        return ActionResult({"SessionId": name})

    def describe_sessions(self: Any) -> Any:
        wanted = {one["key"]: one["value"] for one in self._get_param("Filters") or ()}
        keys = ("SessionId", "Status", "Target", "Reason", "DocumentName")
        found = [
            {key: session[key] for key in keys}
            for session in _sessions.values()
            if session["Target"] == wanted["Target"] and session["Status"] == "Connected"
        ]
        return ActionResult({"Sessions": found})

    for action in (start_session, terminate_session, describe_sessions):
        setattr(Response, action.__name__, action)


def _passwords() -> None:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key
    from moto.core.responses import ActionResult
    from moto.ec2.responses.windows import Windows

    def get_password_data(self: Any) -> Any:
        """Empty at the first look; then the password, encrypted for the instance's key pair."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        _asked[instance.id] = _asked.get(instance.id, 0) + 1
        told = ""
        if _asked[instance.id] > 1:
            material = self.ec2_backend.key_pairs[instance.key_name].material_public
            key: Any = load_ssh_public_key(material if isinstance(material, bytes) else material.encode())
            told = base64.b64encode(key.encrypt(PASSWORD.encode(), PKCS1v15())).decode() + "\r\n"
        return ActionResult({"InstanceId": instance.id, "PasswordData": told})

    Windows.get_password_data = get_password_data  # type: ignore[method-assign]


def identities() -> dict[str, list[str]]:
    """Roles and instance profiles."""
    from moto.iam.models import iam_backends

    found: dict[str, list[str]] = {"roles": [], "profiles": []}
    for partitions in iam_backends.values():
        for backend in partitions.values():
            found["roles"] += [role.name for role in backend.roles.values()]
            found["profiles"] += [profile.name for profile in backend.instance_profiles.values()]
    return found
