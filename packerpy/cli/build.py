"""``packerpy build``."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from packerpy.cli import options
from packerpy.cli.asking import Asker
from packerpy.cli.load import load
from packerpy.cli.render import Look, choose
from packerpy.errors import DeclarationError
from packerpy.execute.calls import build as build_images

OnError = Literal["cleanup", "abort", "ask", "run-cleanup-provisioner"]


def build(
    file: options.File,
    /,
    *,
    only: options.Only = (),
    except_: options.Except = (),
    var: options.Var = (),
    var_file: options.VarFile = (),
    output: options.Output = None,
    no_cache: options.NoCache = False,
    from_: options.From = (),
    only_post: options.OnlyPost = False,
    force: Annotated[bool, Parameter(negative=(), help="Replace output folders that exist.")] = False,
    jobs: Annotated[int | None, Parameter(help="Machines and post-processors at once, at most.")] = None,
    on_error: Annotated[OnError, Parameter(help="What becomes of what a failed build made.")] = "cleanup",
    debug: Annotated[bool, Parameter(negative=(), help="One task after another; stop and ask before each.")] = False,
    events: Annotated[Look, Parameter(help="How to show what happens; auto: live on a terminal, else plain.")] = "auto",
) -> int:
    """Build the images of a file; what is unchanged is re-used."""
    if jobs is not None and jobs < 1:
        raise DeclarationError(f"--jobs {jobs} leaves nobody to work", resolution="give 1 or more")
    if on_error == "ask" and not sys.stdin.isatty():
        raise DeclarationError("--on-error ask needs a terminal to ask on", resolution="use cleanup or abort")
    if debug and not sys.stdin.isatty():
        raise DeclarationError("--debug needs a terminal to ask on", resolution="leave it out, and read the log")
    values = options.variables(var)
    loaded = load(file)
    files = options.variable_files(var_file, loaded)
    with choose(events) as renderer:
        asker = Asker(renderer)
        build_images(
            loaded.images,
            only=only,
            except_=except_,
            variables=values,
            variable_files=files,
            output=output if output is not None else loaded.output,
            no_cache=no_cache,
            from_=from_,
            only_post=only_post,
            force=force,
            on_error=on_error,
            ask=asker.failure,
            stop=asker.stop if sys.stdin.isatty() else None,
            debug=asker.stop if debug else None,
            ask_secret=asker.secret,
            jobs=jobs,
            listeners=[renderer],
        )
    return 0
