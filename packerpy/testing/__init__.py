"""For authors of plug-ins: a run without an engine, a recording channel, the conformance suite."""

from packerpy.testing.channel import RecordingChannel
from packerpy.testing.channels import CHANNEL_CHECKS, Subject
from packerpy.testing.conformance import check_boot_leaves_nothing, check_declaration, check_keyable
from packerpy.testing.run import TestRun, make_run

__all__ = [
    "CHANNEL_CHECKS",
    "RecordingChannel",
    "Subject",
    "TestRun",
    "check_boot_leaves_nothing",
    "check_declaration",
    "check_keyable",
    "make_run",
]
