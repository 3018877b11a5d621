"""Chef (or cinc): without a server, or as the client of one."""

from packerpy.provisioners.chef.specs import ChefClient, ChefSolo

__all__ = ["ChefClient", "ChefSolo"]
