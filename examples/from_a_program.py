"""Building from a program: events as they happen, a typed result, errors as exceptions, nothing printed by itself."""

import sys
from pathlib import Path
from typing import Any

import packerpy as pp
from packerpy.events import Event, TaskFinished, TaskOutput


def greet(c: Any) -> None:
    """A step of the image."""
    c.run("echo a line of output")


image = pp.Image("demo", source=pp.Fake(content="hello\n"), provision=[greet])


def show(event: Event) -> None:
    """Called with every event, one at a time."""
    match event:
        case TaskOutput(build=build, text=text):
            print(f"{build} | {text}")
        case TaskFinished(task=task, status=status, seconds=seconds):
            print(f"{task}: {status} in {seconds:.1f} s")


def main(output: Path) -> int:
    """Build, and answer an exit code."""
    try:
        result = pp.build(image, output=output, listeners=[show])
    except pp.PackerpyError as error:
        print(f"{error.task or 'before any task'}: {error.brief}", file=sys.stderr)
        return error.exit_code
    print(f"{len(result.files())} file(s) in {result.seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path("output")))
