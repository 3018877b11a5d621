"""Base images straight from the packages of Debian and Ubuntu, without booting anything."""

from packerpy.backends.bootstrap.specs import Bootstrap
from packerpy.backends.bootstrap.users import User

__all__ = ["Bootstrap", "User"]
