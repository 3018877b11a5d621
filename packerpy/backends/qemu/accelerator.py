"""Whether this host's kvm can be trusted, and what was learned of it before.

An open ``/dev/kvm`` proves nothing: on some hosts firmware runs with it and a real kernel hangs. So a guest has to be
seen running once; the verdict is remembered for this boot of the host and this QEMU.
"""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path

import attrs

from packerpy.contracts import Cancellation
from packerpy.errors import SourceError
from packerpy.kit import process, publish

_CPU_INFO = Path("/proc/cpuinfo")
_KVM = Path("/dev/kvm")
_X86 = ("x86_64", "i686")


def cpu_can_virtualise() -> bool:
    """Whether the processor tells that it has the instructions; other architectures than x86 do not tell, so yes."""
    if platform.machine() not in _X86:
        return True
    try:
        text = _CPU_INFO.read_text()
    except OSError:
        return False
    return re.search(r"^flags\s*:.*\b(vmx|svm)\b", text, re.MULTILINE) is not None


def kvm_opens() -> bool:
    """Whether this user may use the device."""
    try:
        os.close(os.open(_KVM, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def may_be_kvm(architecture: str) -> bool:
    """Whether kvm is worth a try for a guest of this architecture."""
    return platform.machine() == architecture and kvm_opens() and cpu_can_virtualise()


def qemu_version(binary: str, cancellation: Cancellation | None = None) -> str:
    """``7.2.22``: what the program says of itself.

    :raises SourceError: it does not run.
    """
    output = process.call([binary, "--version"], cancellation=cancellation, error=SourceError).text
    found = re.search(r"version (\S+)", output)
    return found[1] if found else output.splitlines()[0] if output else "unknown"


@attrs.frozen(kw_only=True)
class Verdicts:
    """What was learned of accelerators, in ``<cache>/qemu/accelerators.json``.

    :ivar cache: packerpy's cache folder.
    :ivar version: of QEMU.
    """

    cache: Path
    version: str

    @property
    def _file(self) -> Path:
        return self.cache / "qemu" / "accelerators.json"

    @property
    def _key(self) -> str:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()} {boot} {self.version}"

    def read(self) -> str | None:
        """The accelerator that a guest was seen to run with; ``None`` when nothing was learned yet."""
        verdict = self._all().get(self._key)
        return verdict if isinstance(verdict, str) else None

    def remember(self, accelerator: str) -> None:
        """Write it down; verdicts on other boots of this host are forgotten."""
        kept = {key: value for key, value in self._all().items() if key.split()[:2] == self._key.split()[:2]}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        publish.write_text(self._file, json.dumps(kept | {self._key: accelerator}, sort_keys=True))

    def _all(self) -> dict[str, object]:
        try:
            known = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
