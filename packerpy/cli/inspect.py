"""``packerpy inspect``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from packerpy.cli import options
from packerpy.cli.load import load
from packerpy.declare import Image, Output, Secret, Variable
from packerpy.declare.fill import title_of
from packerpy.declare.walk import find
from packerpy.registry import as_post, as_spec
from packerpy.validate.data import data_in


def inspect(
    file: options.File,
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), help="For programs.")] = False,
) -> int:
    """Show what a file declares: images, their steps, variables and secrets."""
    images = list(_with_bases(load(file).images))
    content = {
        "images": [_image(image) for image in images],
        "variables": [_variable(one) for one in _distinct(images, Variable)],
        "data": list(dict.fromkeys(title_of(one) for image in images for one in data_in(_parts(image)))),
        "secrets": [repr(one) for one in _distinct(images, Secret)],
    }
    print(json.dumps(content, indent=2, ensure_ascii=False) if as_json else "\n".join(_text(content)))  # noqa: T201
    return 0


def _parts(image: Image) -> tuple[object, ...]:
    return (image.sources, image.provision, image.tests, image.test_on, image.post)


def _with_bases(images: Iterable[Image]) -> Iterator[Image]:
    """The images and all that they stand on, each once."""
    waiting, seen = list(images), set[int]()
    while waiting:
        image = waiting.pop(0)
        if id(image) in seen:
            continue
        seen.add(id(image))
        yield image
        waiting += [one.image for one in find(_parts(image), Output) if isinstance(one.image, Image)]


def _distinct(images: Iterable[Image], kind: type[Any]) -> list[Any]:
    return list({repr(one): one for image in images for one in find(_parts(image), kind)}.values())


def _image(image: Image) -> dict[str, Any]:
    return {
        "name": image.name,
        "sources": [source.kind for source in image.sources],
        "from": sorted({str(output) for output in find(image.sources, Output)}),
        "provision": [title_of(as_spec(step)) for step in image.provision],
        "tests": [title_of(as_spec(test)) for test in image.tests],
        "post": [[title_of(as_post(item)) for item in chain] for chain in image.post],
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "type": getattr(variable.wanted, "__name__", "") if isinstance(variable.wanted, type) else str(variable.wanted),
        "default": "<secret>" if variable.sensitive and variable.default is not None else _plain(variable.default),
        "description": variable.description,
        "allowed": _plain(variable.allowed),
        "validation": [message for _, message in variable.validation],
        "sensitive": variable.sensitive,
    }


def _plain(value: Any) -> Any:
    """As JSON can carry it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _text(content: dict[str, Any]) -> Iterator[str]:
    for image in content["images"]:
        origin = f" on {', '.join(image['from'])}" if image["from"] else ""
        yield f"{image['name']}  ({', '.join(image['sources'])}{origin})"
        yield from (f"  step {number}: {title}" for number, title in enumerate(image["provision"], 1))
        yield from (f"  test: {title}" for title in image["tests"])
        yield from (f"  then: {' → '.join(chain)}" for chain in image["post"])
    for variable in content["variables"]:
        kind = f"{variable['type']}, {'sensitive, ' if variable['sensitive'] else ''}"
        default = "must be set" if variable["default"] is None else f"default {variable['default']!r}"
        allowed = f", one of {', '.join(map(str, variable['allowed']))}" if variable["allowed"] else ""
        about = f": {variable['description']}" if variable["description"] else ""
        yield f"variable {variable['name']} ({kind}{default}{allowed}){about}"
        yield from (f"  must fulfil: {message}" for message in variable["validation"])
    yield from (f"data {title}" for title in content["data"])
    yield from (f"secret {secret}" for secret in content["secrets"])
