"""Identical machine images on many platforms, in parallel, declared in Python."""

import importlib
import typing

from packerpy.backends.bootstrap import Bootstrap, User
from packerpy.backends.fake import Fake
from packerpy.backends.qemu import Qemu
from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.local import Local
from packerpy.communicators.ssh import SSH, Bastion, Proxy
from packerpy.communicators.winrm import WinRM
from packerpy.data.command import CommandData
from packerpy.data.file import FileData
from packerpy.data.git_revision import GitRevision
from packerpy.data.http import HTTPData
from packerpy.declare import Image, Output, Project, Secret, Variable, computed, text, this_build
from packerpy.errors import (
    BuildError,
    BuildFailures,
    CancelledError,
    PackerpyError,
    PlanError,
    ValidationError,
)
from packerpy.execute.calls import build, plan, validate, why
from packerpy.execute.clean import clean
from packerpy.execute.result import BuildResult
from packerpy.kit.media import Media
from packerpy.kit.places import Download
from packerpy.kit.sums import Sums
from packerpy.kit.web_server import WebServer
from packerpy.postprocessors.artifice import Artifice
from packerpy.postprocessors.checksum import Checksum
from packerpy.postprocessors.compress import Compress
from packerpy.postprocessors.convert import Convert
from packerpy.postprocessors.manifest import Manifest
from packerpy.postprocessors.provenance import Provenance
from packerpy.postprocessors.python import PostFunction
from packerpy.postprocessors.sbom import Sbom
from packerpy.provisioners.ansible import Ansible, AnsibleLocal
from packerpy.provisioners.breakpoint import Breakpoint
from packerpy.provisioners.check import Check
from packerpy.provisioners.chef import ChefClient, ChefSolo
from packerpy.provisioners.cloud_init import CloudInitWait
from packerpy.provisioners.file import File
from packerpy.provisioners.meta import Facts, Group, Step
from packerpy.provisioners.packages import Packages
from packerpy.provisioners.puppet import Puppet, PuppetServer
from packerpy.provisioners.python import Function
from packerpy.provisioners.salt import Salt
from packerpy.provisioners.shell import Shell
from packerpy.provisioners.shell_local import ShellLocal
from packerpy.provisioners.sysprep import Sysprep
from packerpy.provisioners.waiting import Reboot, Sleep
from packerpy.provisioners.windows import PowerShell, WindowsRestart, WindowsShell
from packerpy.values import Artifact, Problem
from packerpy.version import __version__

if typing.TYPE_CHECKING:
    from packerpy.backends import amazon

# fmt: off
__all__ = [
    "SSH", "Ansible", "AnsibleLocal", "Artifact", "Artifice", "Bastion", "Bootstrap", "Breakpoint", "BuildError",
    "BuildFailures", "BuildResult", "CancelledError", "Check", "Checksum", "ChefClient", "ChefSolo", "CloudInitWait",
    "CommandData", "Compress", "Convert", "Download", "Facts", "Fake", "File", "FileData", "Function", "GitRevision",
    "Group", "GuestAgent", "HTTPData", "Image", "Local", "Manifest", "Media", "Output", "Packages", "PackerpyError",
    "PlanError", "PostFunction", "PowerShell", "Problem", "Project", "Provenance", "Proxy", "Puppet", "PuppetServer",
    "Qemu", "Reboot", "Salt", "Sbom", "Secret", "Shell", "ShellLocal", "Sleep", "Step", "Sums", "Sysprep", "User",
    "ValidationError", "Variable", "WebServer", "WinRM", "WindowsRestart", "WindowsShell", "__version__", "amazon",
    "build", "clean", "computed", "plan", "text", "this_build", "validate", "why",
]
# fmt: on


def __getattr__(name: str) -> typing.Any:
    """``amazon`` when it is first asked for: its many declarations are a tenth of what an import costs."""
    if name == "amazon":
        return importlib.import_module("packerpy.backends.amazon")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
