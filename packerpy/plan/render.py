"""A plan as text, JSON, DOT and SVG."""

from __future__ import annotations

import json
import shutil

from packerpy.errors import PluginError
from packerpy.kit.process import call
from packerpy.kit.sizes import show_duration
from packerpy.plan.tasks import Plan, Task


def as_text(plan: Plan) -> str:
    """One line a task: action, id, title, reason, and how long it took the last time."""
    lines = []
    width = max((len(task.id) for task in plan.tasks), default=0)
    if plan.reads:
        lines.append("data")
        lines += [f"  {task.action:<7} {task.id:<{width}}  {task.title}  [{task.reason}]" for task in plan.reads]
    for build in plan.builds.values():
        lines.append(f"{build.name}  ({build.source.kind})")
        lines += [
            f"  {task.action:<7} {task.id:<{width}}  {task.title}  [{task.reason}]{_estimate(task)}"
            for task in build.tasks
        ]
    running = sum(task.action in ("run", "restore") for task in plan.tasks)
    reused = sum(task.action == "reuse" for task in plan.tasks)
    about = f", about {show_duration(plan.seconds)}" if plan.seconds else ""
    lines.append(f"{running} to run, {reused} to re-use{about}")
    return "\n".join(lines)


def _estimate(task: Task) -> str:
    return (
        f" (about {show_duration(task.seconds)})"
        if task.seconds is not None and task.action in ("run", "restore")
        else ""
    )


def as_json(plan: Plan) -> str:
    """An object with a list ``tasks``; each with id, build, kind, title, key, needs, action, reason and seconds."""
    return json.dumps({"tasks": [_plain(task) for task in plan.tasks]}, indent=2)


def _plain(task: Task) -> dict[str, object]:
    return {
        "id": task.id,
        "build": task.build,
        "kind": task.kind.value,
        "title": task.title,
        "key": task.key,
        "needs": list(task.needs),
        "action": task.action,
        "reason": task.reason,
        "seconds": task.seconds,
    }


def as_dot(plan: Plan) -> str:
    """The graph in Graphviz's language: a cluster a build, re-used tasks dashed."""
    lines = ["digraph plan {", "  rankdir=LR; node [shape=box, style=rounded, fontname=sans];"]
    lines += [f"  {_quoted(task.id)} [label={_quoted(task.title)}, shape=note];" for task in plan.reads]
    for number, build in enumerate(plan.builds.values()):
        lines.append(f"  subgraph cluster_{number} {{ label={_quoted(build.name)}; fontname=sans;")
        for task in build.tasks:
            style = "rounded" if task.action == "run" else '"rounded,dashed"'
            tip = f"{task.action}: {task.reason}"
            lines.append(
                f"    {_quoted(task.id)} [label={_quoted(task.title)}, style={style}, tooltip={_quoted(tip)}];"
            )
        lines.append("  }")
    lines += [f"  {_quoted(need)} -> {_quoted(task.id)};" for task in plan.tasks for need in task.needs]
    return "\n".join([*lines, "}"])


def as_svg(plan: Plan) -> str:
    """The graph as a picture, drawn by Graphviz.

    :raises PluginError: ``dot`` is not installed.
    """
    dot = shutil.which("dot")
    if dot is None:
        raise PluginError(
            "the program 'dot' is not installed, needed for pictures of a plan",
            resolution="install it with `apt-get install graphviz`, or use the text, JSON or DOT form",
        )
    return call([dot, "-Tsvg"], input=as_dot(plan).encode(), label="dot -Tsvg").text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
