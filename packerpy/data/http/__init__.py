"""The answer of a web server."""

from packerpy.data.http.specs import HTTPData

__all__ = ["HTTPData"]
