"""``packerpy cache``: saved machines and stored results, which builds start from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated

from cyclopts import App, Parameter

from packerpy.artifacts.database import Database
from packerpy.artifacts.folders import cache_folder
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.layers import Layer, LayerStore, evict
from packerpy.cli.text import clean
from packerpy.errors import PackerpyError
from packerpy.execute.elsewhere import remove_dropped
from packerpy.kit.sizes import parse_size, show_size

cache = App(name="cache", help="Look at, check and drop saved machines and stored results.")


def _stores() -> Mapping[str, LayerStore]:
    return {"machine": LayerStore(cache_folder() / "layers"), "result": LayerStore(cache_folder() / "results")}


def _line(kind: str, layer: Layer) -> str:
    size = f"{layer.size / 2**20:8.1f} MiB"
    return clean(f"{layer.key}  {kind:<7}  {size}  {_time(layer.used)}  {layer.title}")


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


@cache.command
def ls() -> int:
    """List them: key, what it is, size on disk, when last used, what was done last."""
    for kind, store in _stores().items():
        for layer in store.list():
            print(_line(kind, layer))  # noqa: T201
    return 0


@cache.command
def show(key: Annotated[str, Parameter(help="A key, or its beginning.")], /) -> int:
    """Show one of them with its files."""
    found = [(kind, store, layer) for kind, store in _stores().items() for layer in store.list()]
    fitting = [entry for entry in found if entry[2].key.startswith(key)]
    if len(fitting) != 1:
        raise PackerpyError(
            f"{'several keys begin' if fitting else 'no key begins'} with {key!r}",
            resolution="`packerpy cache ls` shows all of them",
        )
    ((kind, store, layer),) = fitting
    print(clean(f"{kind} {layer.key}\n  {layer.title}\n  in {store.path(layer.key)}"))  # noqa: T201
    print(f"  made {_time(layer.made)}, used {_time(layer.used)}, {show_size(layer.size)} on disk")  # noqa: T201
    for name, size in store.files(layer.key).items():
        print(clean(f"  {show_size(size):>10}  {name}"))  # noqa: T201
    return 0


@cache.command
def verify() -> int:
    """Read all of them, and drop those whose files are not what they were when they were stored."""
    stores = _stores().values()
    dropped = [key for store in stores for key in store.verify()]
    for key in dropped:
        print(f"{key}  dropped: its files were changed")  # noqa: T201
    code = _remove_dropped()
    print(f"{sum(len(store.keys()) for store in stores)} good, {len(dropped)} dropped")  # noqa: T201
    return code


@cache.command
def prune(
    *, size: Annotated[str | None, Parameter(help="What may stay, e.g. 5 GiB; those used longest ago go first.")] = None
) -> int:
    """Drop them: all, or until the rest takes no more than a size."""
    for layer in evict(_stores().values(), parse_size(size) if size is not None else 0):
        print(f"{_line('dropped', layer)}")  # noqa: T201
    return _remove_dropped()


def _remove_dropped() -> int:
    """What dropped layers held on platforms."""
    database = Database(cache_folder() / "state.db")
    try:
        left = remove_dropped(_stores()["machine"], Journal(database), cache_folder())
    finally:
        database.close()
    for one in left:
        told = f"cannot be removed: {one.error}" if one.error else "removed from its platform"
        print(clean(f"{one.build}: {one.title}: {told}"))  # noqa: T201
    return 1 if any(one.error for one in left) else 0
