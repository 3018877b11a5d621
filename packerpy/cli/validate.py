"""``packerpy validate``."""

from __future__ import annotations

import sys

from packerpy.cli import options
from packerpy.cli.load import load
from packerpy.errors import ValidationError
from packerpy.execute.calls import undeclared
from packerpy.execute.calls import validate as find_problems


def validate(file: options.File, /, *, var: options.Var = (), var_file: options.VarFile = ()) -> int:
    """Report every problem of a file's declarations at once; offline, nothing is changed."""
    values = options.variables(var)
    loaded = load(file)
    files = options.variable_files(var_file, loaded)
    problems = find_problems(loaded.images, variables=values, variable_files=files)
    if problems:
        raise ValidationError(problems)
    for warning in undeclared(loaded.images, variables=values, variable_files=files):
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
    count = len(loaded.images)
    print(f"{loaded.path.name}: {count} image{'' if count == 1 else 's'}, no problems")  # noqa: T201
    return 0
