"""Walks the declarations and returns every problem at once; offline, and nothing is changed."""

from packerpy.validate.graph import Build, BuildName, Graph, collect, references
from packerpy.validate.problems import validate
from packerpy.validate.resolve import Given, Resolved, resolve

__all__ = ["Build", "BuildName", "Given", "Graph", "Resolved", "collect", "references", "resolve", "validate"]
