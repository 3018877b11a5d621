"""``packerpy verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from packerpy.postprocessors.provenance.verify import verify as check


def verify(
    provenance: Annotated[Path, Parameter(help="What Provenance wrote: IMAGE.intoto.jsonl.")],
    /,
    *files: Annotated[Path, Parameter(help="The files to check; by default all that it names, beside it.")],
    key: Annotated[Path | None, Parameter(help="The public key that must have signed it (PEM or OpenSSH).")] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), help="Print the statement.")] = False,
) -> int:
    """Check a signed provenance, and files against it; exit code 1 when anything is wrong."""
    found = check(provenance, files, key=key)
    if as_json:
        print(json.dumps(found.statement, indent=2))  # noqa: T201
        return 0
    for file in found.files:
        print(f"{file}: OK")  # noqa: T201
    if found.signed:
        print(f"signed by {key}; built by {found.builder}")  # noqa: T201
    else:
        print("the signature was NOT checked: without --key anybody may have written this")  # noqa: T201
    return 0
