"""The content of a function: what it does, as far as its own text and what it uses of its module tell.

Comments and blank lines do not count, for the syntax tree has none. Values that it closes over or takes from its module
do, and so do functions and classes of the user's own that it calls. What belongs to Python or to an installed package
is known by its name.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import sysconfig
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

Encode = Callable[[object], Any]


class Unkeyable(Exception):
    """Something whose content cannot be known; the message says what."""


def encode_function(function: object, encode: Encode, _around: tuple[object, ...] = ()) -> Any:
    """Plain data that differs when the function does something else.

    :param encode: encodes the values that it uses.
    :raises Unkeyable: its source is not there, or it uses a value that cannot be encoded.
    """
    if isinstance(function, functools.partial):
        bound = [encode(function.args), encode(function.keywords)]
        return ["partial", encode_function(function.func, encode, _around), bound]
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"
    if function in _around or _of_a_library(function):
        return ["name", name]
    try:
        tree = ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError) as error:
        raise Unkeyable(f"the function {name.rpartition('.')[2]}, whose source is not there") from error
    return ["function", tree, _used(function, encode, (*_around, function))]


def _used(function: object, encode: Encode, around: tuple[object, ...]) -> list[Any]:
    """The values that a function takes from around it, by name."""
    if not inspect.isfunction(function):
        return []
    variables = inspect.getclosurevars(function)
    values = {**variables.globals, **variables.nonlocals}
    return [[name, _encode_value(values[name], encode, around)] for name in sorted(values)]


def _encode_value(value: object, encode: Encode, around: tuple[object, ...]) -> Any:
    if isinstance(value, ModuleType):
        return ["module", value.__name__]
    if inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, functools.partial):
        return encode_function(value, encode, around)
    return encode(value)


def _of_a_library(function: object) -> bool:
    """Whether it was installed, and is not the user's own."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or module.__name__ == "__main__":
        return False
    if file is None:
        return module.__name__ in sys.builtin_module_names
    return any(Path(file).is_relative_to(folder) for folder in _library_folders())


@functools.cache
def _library_folders() -> tuple[Path, ...]:
    """Where Python, packages and packerpy itself are."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return (*(Path(sysconfig.get_path(name)) for name in names), Path(__file__).parents[1])
