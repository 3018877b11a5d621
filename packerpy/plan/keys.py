"""Content keys: what decides a task's result, as a hash.

A declaration is encoded as plain data: classes by name, paths that it reads by the digest of their content, secrets by
their keyed hash, references by the key of what they refer to, functions by their syntax tree (so that comments and
blank lines do not count). What cannot be encoded so has no key.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

import attrs

from packerpy.contracts import KeyedAs, ReadsFiles, offers
from packerpy.declare import Later, Output, Secret
from packerpy.declare.fill import shown_form
from packerpy.declare.walk import PLAIN, has
from packerpy.plan.functions import Unkeyable, encode_function
from packerpy.plan.known import Known
from packerpy.values import Artifact

_compact = json.JSONEncoder(separators=(",", ":")).encode


def key_of(*parts: str) -> str:
    """Hash of some texts: 32 hex digits (128 bits) of SHA-256."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class Encoder:
    """Encodes declarations; remembers those it has seen, for images share them."""

    def __init__(self, known: Known, output_key: Callable[[Output], str | None]) -> None:
        self._known, self._output_key = known, output_key
        self._seen: dict[int, tuple[object, Any]] = {}

    def encode(self, value: object) -> Any:
        """Plain data for ``json``.

        :raises Unkeyable: it contains something that has no content to hash.
        """
        if type(value) in PLAIN:
            return ["bytes", value.hex()] if isinstance(value, bytes) else value
        kept = self._seen.get(id(value))
        if kept is not None and kept[0] is value:
            return kept[1]
        encoded = self._encode(value)
        if _is_declaration(type(value)) and not isinstance(value, Output):  # type: ignore[arg-type]
            self._seen[id(value)] = (value, encoded)
        return encoded

    def _encode(self, value: Any) -> Any:  # noqa: C901, PLR0911  one case a kind of value
        if isinstance(value, (int, float, str)):
            return value if not isinstance(value, enum.Enum) else [type(value).__name__, value.value]
        if isinstance(value, PurePath):
            return ["path", str(value)]
        if isinstance(value, Output):
            return self._encode_output(value)
        if isinstance(value, Secret):
            return ["secret", self._known.secrets[value]]
        if isinstance(value, Artifact):
            return ["artifact", value.id, [self._known.digests.get(path, str(path)) for path in value.files]]
        if isinstance(value, (tuple, list)):
            return [self.encode(item) for item in value]
        if isinstance(value, frozenset):
            return sorted(json.dumps(self.encode(item)) for item in value)
        if isinstance(value, Mapping):
            return {str(key): self.encode(value[key]) for key in sorted(value, key=str)}
        if _is_declaration(type(value)):  # type: ignore[arg-type]
            return self._encode_attrs(value)
        if callable(value):
            return encode_function(value, self.encode)
        raise Unkeyable(f"a {type(value).__name__}")

    def _encode_output(self, output: Output) -> Any:
        key = self._output_key(output)
        if key is None:
            raise Unkeyable(f"image {output.image_name}, which has no key")
        return ["output", output.name, key]

    def _encode_attrs(self, value: Any) -> Any:
        if offers(value, KeyedAs):
            return self.encode(value.keyed_as())
        encoded: list[Any] = [_class_name(type(value))]  # type: ignore[arg-type]
        for name in _keyed_fields(type(value)):  # type: ignore[arg-type]
            encoded += (name, self.encode(getattr(value, name)))
        files = [self._known.digests.get(path, "absent") for path in _paths(value)]
        return [*encoded, "files", files] if files else encoded

    def digest(self, value: object) -> str:
        """Hash of an encoded declaration.

        :raises Unkeyable: see :meth:`encode`.
        """
        return key_of(_compact(self.encode(value)))

    def capture_digest(self, source: object) -> str:
        """Hash of what a source's declaration says of the capture only.

        :raises Unkeyable: see :meth:`encode`.
        """
        names = capture_fields(type(source))  # type: ignore[arg-type]
        return key_of(_compact([(name, self.encode(getattr(source, name))) for name in names]))

    def ingredients(self, place: str, value: object, names: Iterable[str] | None = None) -> Mapping[str, str]:
        """Short digests of the parts of a declaration, by name, to tell later which of them changed.

        :param names: only these fields, and no files; by default all that decide the result.
        """
        parts: dict[str, str] = {}
        if attrs.has(type(value)):
            for name in _keyed_fields(type(value)) if names is None else names:  # type: ignore[arg-type]
                try:
                    parts[f"{place}: {name}"] = self.digest(getattr(value, name))[:12]
                except Unkeyable as reason:
                    parts[f"{place}: {name}"] = f"unkeyable {reason}"
            if names is None:
                parts.update({str(path): self._known.digests.get(path, "absent")[:12] for path in _paths(value)})
        return parts


def _paths(value: object) -> list[Path]:
    """What a declaration reads; a file whose name only the machine tells was refused before."""
    if not offers(value, ReadsFiles):
        return []
    try:
        return list(value.reads())
    except (AttributeError, TypeError):
        if not has(value, Later):
            raise
        return list(shown_form(value).reads())


@functools.cache
def _is_declaration(cls: type) -> bool:
    return attrs.has(cls)


@functools.cache
def _class_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


@functools.cache
def _keyed_fields(cls: type) -> tuple[str, ...]:
    """Fields that decide the result: all but those whose metadata says ``key=False``, or ``key="capture"``."""
    return tuple(field.name for field in attrs.fields(cls) if field.metadata.get("key", True) is True)


@functools.cache
def capture_fields(cls: type) -> tuple[str, ...]:
    """Fields of a source that decide only how its machine is captured: those whose metadata says ``key="capture"``."""
    if not attrs.has(cls):
        return ()
    return tuple(field.name for field in attrs.fields(cls) if field.metadata.get("key") == "capture")


def paths_read(specs: Iterable[object]) -> set[Path]:
    """Every path that some declarations read."""
    return {path for spec in specs for path in _paths(spec)}
