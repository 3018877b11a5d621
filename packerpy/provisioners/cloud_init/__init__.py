"""Waiting for cloud-init."""

from packerpy.provisioners.cloud_init.specs import CloudInitWait

__all__ = ["CloudInitWait"]
