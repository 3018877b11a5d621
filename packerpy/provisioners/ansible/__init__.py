"""Ansible: from the host over SSH, or in the guest."""

from packerpy.provisioners.ansible.specs import Ansible, AnsibleLocal

__all__ = ["Ansible", "AnsibleLocal"]
