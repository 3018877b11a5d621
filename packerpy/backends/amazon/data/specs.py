"""Which look-ups, as declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import attrs

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.specs.fields import hash_map, texts
from packerpy.contracts import DataSource
from packerpy.declare import Data, DataOutput
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.values import Problem, Support, frozen_map

_MOTO = "moto 5.2 behind HTTP"


@declaration(kw_only=True)
class FindAMI(Data):
    """An image, by filters.

    It reads ``id``, ``name``, ``owner``, ``created``, ``architecture``, ``root_device`` and ``tags``.

    :param owners: account ids, ``self``, ``amazon`` or ``aws-marketplace``; required, for anybody may publish an image
        of any name.
    :param ami_name: its name, with ``*`` and ``?``.
    :param filters: more of EC2's: ``{"architecture": "arm64", "tag:channel": "stable"}``.
    :param most_recent: of several take the newest; else several are an error.
    :param include_deprecated: look at deprecated ones too.
    :param region: by default the environment's or profile's.
    :param access: credentials and endpoint.
    """

    kind: ClassVar[str] = "amazon.ami"
    secret: ClassVar[bool] = False
    support: ClassVar[tuple[Support, ...]] = (Support("`amazon.FindAMI`, `amazon.newest_ami`", _MOTO, "run"),)

    owners: tuple[str, ...] = attrs.field(converter=texts)
    ami_name: str | None = None
    filters: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    most_recent: bool = False
    include_deprecated: bool = False
    region: str | None = None
    access: Access = attrs.field(factory=Access)
    name: str = attrs.field(default="", metadata=FROM_CALLER)

    @property
    def title(self) -> str:
        """Owner and name."""
        return f"AMI {self.ami_name or '*'} of {', '.join(self.owners)}"

    def check(self) -> Iterable[Problem]:
        """Owners, and something to look for."""
        yield from (problem.within("access") for problem in self.access.problems())
        if not self.owners:
            yield Problem(where="owners", what="are missing", fix='give account ids, "self" or "amazon"')
        if self.ami_name is None and not self.filters:
            yield Problem(where="ami_name", what="is missing, and there are no filters", fix="give one of them")

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.backends.amazon.data.worker import AMIReader

        return AMIReader(self)


def newest_ami(
    *,
    owner: str | Iterable[str],
    name: str | None = None,
    filters: Mapping[str, str] | None = None,
    region: str | None = None,
    access: Access | None = None,
) -> DataOutput:
    """The id of the newest image of an owner whose name matches; see :class:`FindAMI` for the parameters.

    ``newest_ami(owner="136693071363", name="debian-12-amd64-*")`` is Debian's own newest.
    """
    found = FindAMI(
        owners=(owner,) if isinstance(owner, str) else tuple(owner),
        ami_name=name,
        filters=filters or {},
        most_recent=True,
        region=region,
        access=access or Access(),
    )
    return found["id"]


@declaration(kw_only=True)
class Parameter(Data):
    """A parameter of Systems Manager's Parameter Store. It reads ``value``, ``version``, ``type``, ``arn``.

    Amazon's own are there too: ``/aws/service/debian/release/12/latest/amd64`` is the id of an image.

    :param path: its name.
    :param secret: what it answers is a secret; a ``SecureString`` always is.
    :param region: by default the environment's or profile's.
    :param access: credentials and endpoint.
    """

    kind: ClassVar[str] = "amazon.parameter"
    support: ClassVar[tuple[Support, ...]] = (Support("`amazon.Parameter`", _MOTO, "run"),)

    path: str
    secret: bool = False
    region: str | None = None
    access: Access = attrs.field(factory=Access)
    name: str = attrs.field(default="", metadata=FROM_CALLER)

    @property
    def title(self) -> str:
        """Its name."""
        return f"parameter {self.path}"

    def check(self) -> Iterable[Problem]:
        """The name."""
        yield from (problem.within("access") for problem in self.access.problems())
        if not self.path or any(sign.isspace() for sign in self.path):
            yield Problem(where="path", what="is not the name of a parameter", seen=repr(self.path))

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.backends.amazon.data.worker import ParameterReader

        return ParameterReader(self)


@declaration(kw_only=True)
class SecretsManager(Data):
    """A secret of Secrets Manager. It reads ``value``, ``version``, and ``keys`` where the value is a JSON object.

    All of it is secret: masked everywhere, and in keys of tasks as a keyed hash.

    :param id: name or ARN.
    :param version_stage: ``AWSCURRENT`` or another label.
    :param region: by default the environment's or profile's.
    :param access: credentials and endpoint.
    """

    kind: ClassVar[str] = "amazon.secret"
    secret: ClassVar[Literal[True]] = True
    support: ClassVar[tuple[Support, ...]] = (Support("`amazon.SecretsManager`", _MOTO, "run"),)

    id: str
    version_stage: str = "AWSCURRENT"
    region: str | None = None
    access: Access = attrs.field(factory=Access)
    name: str = attrs.field(default="", metadata=FROM_CALLER)

    @property
    def title(self) -> str:
        """Its name."""
        return f"secret {self.id}"

    def check(self) -> Iterable[Problem]:
        """The name."""
        yield from (problem.within("access") for problem in self.access.problems())
        if not self.id:
            yield Problem(where="id", what="is missing", fix="give the secret's name or ARN")

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.backends.amazon.data.worker import SecretReader

        return SecretReader(self)
