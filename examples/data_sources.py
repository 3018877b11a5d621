"""Values from outside: read before anything is planned, so that a changed one is the reason for a new build.

Try `packerpy plan data_sources.py`, commit something, and plan again.
"""

from pathlib import Path

import packerpy as pp

here = Path(__file__).parent

git = pp.GitRevision(here.parent)
kernel = pp.CommandData("uname", "--kernel-release")
settings = pp.FileData(here / "data_sources.toml")
motd = pp.text("built from ", git["describe"], " on Linux ", kernel["text"], "\n")

image = pp.Image(
    "web",
    pp.Fake(content=settings["data"]["greeting"]),
    provision=[
        pp.File(content=motd, to="/etc/motd"),
        # What was read keeps its type; a text is made of it where a text is wanted.
        pp.Shell("adjust --workers $WORKERS", env={"WORKERS": settings["data"]["workers"]}),
        # Values of the build itself: each image gets its own name.
        pp.File(content=pp.this_build.name, to="/etc/image-name"),
    ],
)
