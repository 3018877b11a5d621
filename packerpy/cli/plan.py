"""``packerpy plan`` and ``packerpy graph``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from packerpy.cli import options
from packerpy.cli.load import load
from packerpy.errors import DeclarationError
from packerpy.execute.calls import plan as make_plan
from packerpy.kit.choices import suggestion
from packerpy.kit.publish import write_text
from packerpy.plan import Plan
from packerpy.plan.render import as_dot, as_json, as_svg, as_text

Format = Literal["text", "json", "dot", "svg"]
_RENDER: Mapping[str, Callable[[Plan], str]] = {"text": as_text, "json": as_json, "dot": as_dot, "svg": as_svg}


def plan(
    file: options.File,
    /,
    *,
    format: Annotated[Format, Parameter(help="How to write the plan.")] = "text",  # noqa: A002  the option's name
    only: options.Only = (),
    except_: options.Except = (),
    var: options.Var = (),
    var_file: options.VarFile = (),
    output: options.Output = None,
    no_cache: options.NoCache = False,
    from_: options.From = (),
    only_post: options.OnlyPost = False,
) -> int:
    """Say what a build would do, and why; nothing is changed."""
    values = options.variables(var)
    loaded = load(file)
    files = options.variable_files(var_file, loaded)
    folder = output if output is not None else loaded.output
    made = make_plan(
        loaded.images,
        only=only,
        except_=except_,
        variables=values,
        variable_files=files,
        output=folder,
        no_cache=no_cache,
        from_=from_,
        only_post=only_post,
    )
    print(_RENDER[format](made).rstrip("\n"))  # noqa: T201
    return 0


def graph(
    file: options.File,
    /,
    *,
    to: Annotated[
        Path | None, Parameter(help="File to write: .dot, .svg or .json; default: DOT on the screen.")
    ] = None,
    only: options.Only = (),
    except_: options.Except = (),
    var: options.Var = (),
    var_file: options.VarFile = (),
) -> int:
    """Draw the graph of a file's builds and tasks."""
    kind = "dot" if to is None else to.suffix.lstrip(".")
    if kind not in ("dot", "svg", "json"):
        raise DeclarationError(f"cannot draw into {to}", resolution=suggestion(kind, ("dot", "svg", "json")))
    values = options.variables(var)
    loaded = load(file)
    files = options.variable_files(var_file, loaded)
    made = make_plan(
        loaded.images,
        only=only,
        except_=except_,
        variables=values,
        variable_files=files,
        output=loaded.output,
    )
    drawn = _RENDER[kind](made).rstrip("\n")
    if to is None:
        print(drawn)  # noqa: T201
    else:
        write_text(to, drawn + "\n")
    return 0
