"""Puppet: without a server, or as the agent of one."""

from packerpy.provisioners.puppet.specs import Puppet, PuppetServer

__all__ = ["Puppet", "PuppetServer"]
