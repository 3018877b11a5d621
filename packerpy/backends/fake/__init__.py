"""A platform whose machines are folders: they boot in no time and fail where told to. For tests and docs."""

from packerpy.backends.fake.specs import Fake

__all__ = ["Fake"]
