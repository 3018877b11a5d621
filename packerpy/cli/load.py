"""Loads the user's Python file and finds what it declares."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, TracebackType

import attrs

from packerpy.declare import Image, Project
from packerpy.errors import DeclarationError, PackerpyError
from packerpy.kit.choices import suggestion

MODULE = "packerpy_user_file"
"""What ``__name__`` is in the user's file: not ``__main__``, so that a build at its end does not start."""


class UserFileError(Exception):
    """The user's file raised; the message is the traceback of his own code."""

    exit_code = 2


@attrs.frozen(kw_only=True)
class Loaded:
    """What a file declares.

    :ivar path: the file.
    :ivar images: the images wanted.
    """

    path: Path
    images: tuple[Image, ...]

    @property
    def output(self) -> Path:
        """Where results go unless somebody says otherwise: ``output`` beside the file."""
        return self.path.parent / "output"


def load(target: str) -> Loaded:
    """Execute ``FILE.py`` and collect its images; ``FILE.py:name`` takes one of its values.

    :raises DeclarationError: there is no such file or name, or nothing declared in it.
    :raises UserFileError: the file's own code raised.
    """
    path, name = _split(target)
    if not path.is_file():
        raise DeclarationError(f"there is no file {path}", resolution="name a Python file that declares images")
    module = _execute(path)
    images = _named(module, name, path) if name else _all(module)
    if not images:
        raise DeclarationError(
            f"{path} declares no image", resolution="assign an Image or a Project to a name of the module"
        )
    return Loaded(path=path, images=images)


def _split(target: str) -> tuple[Path, str]:
    head, colon, tail = target.rpartition(":")
    if colon and tail.isidentifier() and not Path(target).exists():
        return Path(head).absolute(), tail
    return Path(target).absolute(), ""


def _execute(path: Path) -> ModuleType:
    """Run the file as a module; its folder can be imported from, as Python does for a script."""
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # classes and functions defined in it look for their module by name
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        exec(code, module.__dict__)  # noqa: S102  the user's own file, named by the user
    except PackerpyError as error:
        place = _place(error.__traceback__, path)
        if place:
            error.add_note(f"declared at {place}")
        raise
    except (Exception, SystemExit) as error:
        raise UserFileError(_users_traceback(error, path) + _advice(error)) from error
    return module


def _place(trace: TracebackType | None, path: Path) -> str:
    """The innermost line of the user's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else ""


def _users_traceback(error: BaseException, path: Path) -> str:
    """The traceback from the user's file on, without the frames that led there."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")


_UNEXPECTED = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def _advice(error: BaseException) -> str:
    """What to do about a field that a declaration has not; else nothing."""
    found = _UNEXPECTED.fullmatch(str(error)) if isinstance(error, TypeError) else None
    if found is None:
        return ""
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "packerpy"]
    declared = next((one for module in ours if isinstance(one := vars(module).get(found[1]), type)), None)
    if declared is None:
        return ""
    fields = inspect.signature(declared).parameters.values()
    names = [field.name for field in fields if field.kind not in (field.VAR_POSITIONAL, field.VAR_KEYWORD)]
    return f"\nWhat to do: {suggestion(found[2], names)}"


def _named(module: ModuleType, name: str, path: Path) -> tuple[Image, ...]:
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if _images_in(value)]
        raise DeclarationError(f"{path} has no {name!r}", resolution=suggestion(name, known) if known else None)
    images = _images_in(getattr(module, name))
    if not images:
        raise DeclarationError(
            f"{name!r} in {path} is neither an image nor a project",
            details=f"seen: a {type(getattr(module, name)).__name__}",
            resolution="name an Image, a Project or a list of images",
        )
    return images


def _all(module: ModuleType) -> tuple[Image, ...]:
    """What the projects of the module hold; without one, all images that stand under a name of the module."""
    values = [value for key, value in vars(module).items() if not key.startswith("__")]
    chosen = [value for value in values if isinstance(value, Project)] or values
    return _distinct(image for value in chosen for image in _images_in(value))


def _images_in(value: object) -> tuple[Image, ...]:
    if isinstance(value, Image):
        return (value,)
    if isinstance(value, Project):
        return value.images
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, Image) for item in value):
        return tuple(value)
    return ()


def _distinct(images: Iterable[Image]) -> tuple[Image, ...]:
    """Without what stands under two names; two equal images are told apart by the validation, not hidden here."""
    return tuple({id(image): image for image in images}.values())
