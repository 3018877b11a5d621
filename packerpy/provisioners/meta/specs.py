"""The wrapper and the group."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from packerpy.contracts import DescribesTools, KeyedAs, ProvisionerSpec, ReadsFiles
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.declare.image import Step as Declared
from packerpy.provisioners.meta.facts import Facts
from packerpy.provisioners.python.specs import as_spec
from packerpy.values import HostTool, Problem, Support

if TYPE_CHECKING:
    from pathlib import Path

    from packerpy.contracts import Provisioner

When = Mapping[str, tuple[str, ...]] | Callable[[Facts], bool]


def _words(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _frozen(value: Any) -> Any:
    """Lists and dictionaries as values that cannot change."""
    if isinstance(value, Mapping):
        return MappingProxyType({str(key): _frozen(value[key]) for key in sorted(value, key=str)})
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _comparable(value: Any) -> Any:
    """The same as something that can be hashed."""
    if isinstance(value, Mapping):
        return tuple((key, _comparable(item)) for key, item in value.items())
    return tuple(_comparable(item) for item in value) if isinstance(value, tuple) else value


def _when(value: Any) -> When | None:
    if isinstance(value, Mapping):
        return MappingProxyType({name: _words(value[name]) for name in sorted(value)})
    return value  # type: ignore[no-any-return]


def _members(value: Iterable[Declared]) -> tuple[ProvisionerSpec, ...]:
    return tuple(as_spec(item) for item in value)


_UNKEYED = {"key": False}
"""Of a field that changes how a step is run, not what it leaves in the machine."""


def _unkeyed(default: Any) -> Any:
    return attrs.field(default=default, metadata=_UNKEYED)


@declaration(kw_only=True)
class Meta(ReadsFiles, DescribesTools):
    """What a step and a group of steps can be told alike.

    :ivar only: globs of the builds it belongs to: a build's name (``web.qemu``), its image's, the kind or name of
        its source.
    :ivar except_: globs of builds it does not belong to.
    :ivar override: glob of builds → fields of the step that are different there: ``{"amazon*": {"sudo": True}}``.
    :ivar pause_before: seconds to wait first; once, however often the step is tried, and not part of its ``timeout``.
    :ivar timeout: seconds that one try may take; then everything it started is killed.
    :ivar retries: how often a step that failed is tried again.
    :ivar backoff: seconds before the second try; each further pause is twice as long, up to a minute.
    :ivar continue_on_error: go on with the next step when the last try failed, too. A machine that is lost for good, or
        a cancel, ends the build all the same.
    :ivar when: run it only on guests that are so: ``{"family": "debian", "version_id": ["11", "12"]}`` (globs; see
        :class:`Facts`), or a function that takes :class:`Facts`. Asked when its turn comes.
    :ivar cache: whether the machine as it is after the step may be saved and used again.
    :ivar max_age: seconds for which a saved machine may be used again; ``None`` is no limit.
    """

    only: tuple[str, ...] = attrs.field(default=(), converter=_words, metadata=_UNKEYED | FROM_CALLER)
    except_: tuple[str, ...] = attrs.field(default=(), converter=_words, metadata=_UNKEYED | FROM_CALLER)
    override: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=dict, converter=_frozen, eq=_comparable, metadata=FROM_CALLER
    )
    pause_before: float = _unkeyed(0.0)
    timeout: float | None = _unkeyed(None)
    retries: int = _unkeyed(0)
    backoff: float = _unkeyed(1.0)
    continue_on_error: bool = False
    when: When | None = attrs.field(default=None, converter=_when, eq=_comparable)
    cache: bool = _unkeyed(default=True)
    max_age: float | None = _unkeyed(None)

    @property
    @abstractmethod
    def members(self) -> tuple[ProvisionerSpec, ...]:
        """The steps it stands around."""

    def applies_to(self, names: Iterable[str]) -> bool:
        """Whether it belongs to a build that goes by these names."""
        names = tuple(names)
        chosen = not self.only or _any_fits(names, self.only)
        return chosen and not _any_fits(names, self.except_)

    def overridden(self, names: Iterable[str]) -> Mapping[str, Any]:
        """The fields that are different in a build; of several globs that fit, the later one counts."""
        names = tuple(names)
        return {
            field: value
            for glob, fields in self.override.items()
            if _any_fits(names, (glob,))
            for field, value in fields.items()
        }

    def globs(self) -> Iterable[str]:
        """Every glob of builds in it and in what it stands around."""
        yield from (*self.only, *self.except_, *self.override)
        for member in self.members:
            if isinstance(member, Meta):
                yield from member.globs()

    def variants(self) -> Iterable[tuple[str, ProvisionerSpec]]:
        """Each member as each override makes it, with the glob; what cannot be made is left to :meth:`check`."""
        for glob, fields in self.override.items():
            for member in self.members:
                try:
                    yield glob, with_fields(member, fields)
                except Exception:  # noqa: BLE001, S112  check() says why
                    continue

    def reads(self) -> Iterable[Path]:
        """Whatever its members read in any build."""
        for spec in (*self.members, *(variant for _, variant in self.variants())):
            if isinstance(spec, ReadsFiles):
                yield from spec.reads()

    def tools(self) -> Iterable[HostTool]:
        """Whatever its members call."""
        for member in self.members:
            if isinstance(member, DescribesTools):
                yield from member.tools()

    def check(self) -> Iterable[Problem]:
        """The members' problems, those of each override, numbers in range."""
        from packerpy.provisioners.meta.checks import problems

        return problems(self)

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.meta.worker import GroupWorker, StepWorker

        return StepWorker(self) if isinstance(self, Step) else GroupWorker(self)


@declaration
class Step(Meta, ProvisionerSpec, KeyedAs):
    """Any step, with a word on where it belongs and how it is run.

    ``Step(Shell("apt-get update"), retries=3, timeout=120, only="web.qemu")``. The order in which they count: ``when``,
    the pause, then each try within its ``timeout``, then ``continue_on_error``. Steps can be wrapped again.

    :param spec: a step, or a plain function.
    """

    kind: ClassVar[str] = "step"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Step`: selection, pause, timeout, retries", "OpenSSH and processes of this host", "run"),
    )

    spec: ProvisionerSpec = attrs.field(converter=as_spec, metadata=FROM_CALLER)

    @property
    def members(self) -> tuple[ProvisionerSpec, ...]:
        """The one step."""
        return (self.spec,)

    @property
    def title(self) -> str:
        """The step's own."""
        return self.spec.title

    def keyed_as(self) -> object:
        """The step itself, unless its result may be another one for what is said here."""
        if self.when is None and not self.continue_on_error:
            return self.spec
        return ("step", self.spec, self.when, self.continue_on_error)


@declaration
class Group(Meta, ProvisionerSpec):
    """Several steps of which the same is said: as if each of them stood in a :class:`Step` of its own with it.

    ``Group([Shell("a"), Shell("b")], when={"id": "debian"}, retries=2)``.

    :param steps: steps, functions, or other groups.
    """

    kind: ClassVar[str] = "group"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Group`: as `Step`, for several steps", "OpenSSH and processes of this host", "run"),
    )

    steps: tuple[ProvisionerSpec, ...] = attrs.field(converter=_members, metadata=FROM_CALLER)

    @property
    def members(self) -> tuple[ProvisionerSpec, ...]:
        """The steps."""
        return self.steps

    @property
    def title(self) -> str:
        """Theirs."""
        return ", ".join(step.title for step in self.steps) or "nothing"


def with_fields(spec: ProvisionerSpec, fields: Mapping[str, Any]) -> ProvisionerSpec:
    """The step with some fields changed; of a wrapped one, those of what it stands around."""
    if not fields:
        return spec
    if isinstance(spec, Step):
        return attrs.evolve(spec, spec=with_fields(spec.spec, fields))
    if isinstance(spec, Group):
        return attrs.evolve(spec, steps=tuple(with_fields(step, fields) for step in spec.steps))
    return attrs.evolve(spec, **fields)  # type: ignore[misc]  # every declaration is one


def _any_fits(names: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for name in names for glob in globs)
