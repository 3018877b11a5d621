"""Options of everything that makes an AMI by way of an instance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import attrs

from packerpy.backends.amazon.specs.image import (
    CopyOptions,
    copied_by_default_key,
    copy_problems,
    image_problems,
    secrecy_problems,
)
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.backends.amazon.specs.machine_checks import machine_problems
from packerpy.declare.declaration import declaration
from packerpy.values import Artifact, Problem


@declaration(kw_only=True, slots=False)
class InstanceImage(MachineOptions, CopyOptions):
    """An instance that a build runs, and the AMI that it leaves, with copies in other regions."""

    def for_test(self, artifact: Artifact) -> Self:
        """The same machine, started from the finished image."""
        images = {name.removeprefix("ami:"): ami for name, ami in artifact.outputs.items() if name.startswith("ami:")}
        region, image = next(iter(images.items()), (self.region, None))
        return attrs.evolve(self, source_ami=image, region=region)


def instance_image_problems(spec: InstanceImage) -> Iterable[Problem]:
    """All that is wrong with instance, image and copies."""
    yield from machine_problems(spec)
    yield from image_problems(spec)
    yield from copy_problems(spec, spec.region)
    encrypted = spec.encrypt or spec.encrypt_copies or bool(spec.copy_kms_keys)
    default_key = spec.encrypt and spec.kms_key is None
    own_key = not default_key and not copied_by_default_key(spec, encrypted=spec.encrypt)
    yield from secrecy_problems(spec, encrypted=encrypted, own_key=own_key)
