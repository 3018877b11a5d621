"""What a user writes: frozen values that are cheap to make, compare, hash and print."""

from packerpy.declare.build_values import BuildValue, this_build
from packerpy.declare.data import Data, DataOutput
from packerpy.declare.image import Image
from packerpy.declare.later import Composed, Later, computed, text
from packerpy.declare.project import Project
from packerpy.declare.reference import Output
from packerpy.declare.values import Secret, Text
from packerpy.declare.variable import Variable

__all__ = [
    "BuildValue",
    "Composed",
    "Data",
    "DataOutput",
    "Image",
    "Later",
    "Output",
    "Project",
    "Secret",
    "Text",
    "Variable",
    "computed",
    "text",
    "this_build",
]
