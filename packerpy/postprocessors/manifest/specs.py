"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare import Secret
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_path, pairs, text_map
from packerpy.declare.later import Later
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.manifest.worker import Worker


@declaration
class Manifest(PostProcessorSpec):
    """Append a record of the artifact to a JSON file in the format of Packer's manifest.

    What Packer's format has no place for stands under the key ``packerpy`` of each record.

    :param output: a bare name lies with the build's results; a path with a folder in it is appended to where it is,
        under a lock, so that many builds can share one.
    :param custom_data: texts of yours that the record carries; not the place for secrets.
    :param strip_path: only the names of files, without folders.
    :param strip_time: no time of the build, so that equal builds have equal manifests.
    :param keep_input: whether the input stays; by default it does.
    """

    kind: ClassVar[str] = "manifest"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Manifest`", "its format, by a JSON schema of Packer's manifest", "run"),
    )
    keeps_input: ClassVar[bool] = True

    output: Path = attrs.field(default=Path("manifest.json"), converter=host_path)
    custom_data: Mapping[str, Any] = attrs.field(factory=dict, converter=text_map, eq=pairs, kw_only=True)
    strip_path: bool = attrs.field(default=False, kw_only=True)
    strip_time: bool = attrs.field(default=False, kw_only=True)
    keep_input: bool | None = attrs.field(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"manifest {self.output}"

    @property
    def shared(self) -> bool:
        """Whether the file lies where the user says, not with the build's results."""
        return self.output.is_absolute() or len(self.output.parts) > 1

    def check(self) -> Iterable[Problem]:
        """Secrets and other things that JSON text cannot carry; a name that is none."""
        if self.output.name in ("", ".."):
            yield Problem(where="output", what="not the name of a file", seen=str(self.output), fix="use manifest.json")
        for key, value in self.custom_data.items():
            where = f"custom_data[{key!r}]"
            if isinstance(value, Secret):
                yield Problem(where=where, what="a secret would be written into the manifest", fix="leave it out")
            elif not isinstance(value, (str, Later)):
                yield Problem(where=where, what="not a text", seen=repr(value), fix="give a str")

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.manifest.worker import Worker

        return Worker(self)
