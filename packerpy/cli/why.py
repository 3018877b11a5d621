"""``packerpy why``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from packerpy.cli import options
from packerpy.cli.load import load
from packerpy.execute.calls import why as find_reasons


def why(
    file: options.File,
    image: Annotated[str, Parameter(help="A build: web, or web.qemu.")],
    step: Annotated[str | None, Parameter(help="A task of it: step-2, capture; default: the first that runs.")] = None,
    /,
    *,
    var: options.Var = (),
    var_file: options.VarFile = (),
    output: options.Output = None,
) -> int:
    """Say which inputs of a task differ from the last time it was done."""
    values = options.variables(var)
    loaded = load(file)
    files = options.variable_files(var_file, loaded)
    folder = output if output is not None else loaded.output
    task = image if step is None else f"{image}/{step}"
    print(find_reasons(loaded.images, task=task, variables=values, variable_files=files, output=folder))  # noqa: T201
    return 0
