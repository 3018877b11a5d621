"""Amazon EC2: declarations only; boto3 is loaded by the workers."""

from packerpy.backends.amazon.access import Access, Vault
from packerpy.backends.amazon.data.specs import FindAMI, Parameter, SecretsManager, newest_ami
from packerpy.backends.amazon.specs.chroot import Chroot
from packerpy.backends.amazon.specs.devices import Disk
from packerpy.backends.amazon.specs.direct import DirectAMI
from packerpy.backends.amazon.specs.ebs import EBS
from packerpy.backends.amazon.specs.fast_launch import FastLaunch, LaunchTemplate
from packerpy.backends.amazon.specs.importing import Import
from packerpy.backends.amazon.specs.instance import Instance
from packerpy.backends.amazon.specs.surrogate import EBSSurrogate
from packerpy.backends.amazon.specs.volumes import EBSVolumes, Volume

__all__ = [
    "EBS",
    "Access",
    "Chroot",
    "DirectAMI",
    "Disk",
    "EBSSurrogate",
    "EBSVolumes",
    "FastLaunch",
    "FindAMI",
    "Import",
    "Instance",
    "LaunchTemplate",
    "Parameter",
    "SecretsManager",
    "Vault",
    "Volume",
    "newest_ami",
]
