"""Shell lines by which a machine takes and gives whole folders as tar streams."""

from __future__ import annotations

import shlex


def put_tree(target: str, *, gnu: bool, zstd: bool) -> str:
    """Unpacks a tar stream on its input. What exists keeps its mode, and a link to a folder stays one."""
    target = shlex.quote(target)
    options = " --no-overwrite-dir --keep-directory-symlink --warning=no-timestamp" if gnu else ""
    unpack = f"tar -xpof - -C {target}{options}"
    return f"mkdir -p {target} || exit; " + (f"{{ zstd -dcq || kill $$; }} | {unpack}" if zstd else f"exec {unpack}")


def get_tree(source: str, *, zstd: bool) -> str:
    """Prints a tar stream of a folder's contents."""
    source = shlex.quote(source)
    check = f"[ -d {source} ] || {{ echo {source} is not a folder >&2; exit 20; }}; "
    if zstd:  # the exit code of tar, not of zstd, is what counts
        return check + f"{{ tar -cf - -C {source} . || kill $$; }} | zstd -1 -cq"
    return check + f"exec tar -cf - -C {source} ."
