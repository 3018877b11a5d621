"""The fixtures of all tests of the platform."""

from tests.backends.amazon.cloud import moto, nothing_left, only_fake_keys, sshd
from tests.backends.amazon.faults import faults
from tests.communicators.local.conftest import tree

__all__ = ["faults", "moto", "nothing_left", "only_fake_keys", "sshd", "tree"]
