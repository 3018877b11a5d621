"""Which steps one build has; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.image import Step as Declared
from packerpy.provisioners.meta.specs import Meta, Step, with_fields
from packerpy.provisioners.python.specs import as_spec


def steps_of(declared: Iterable[Declared], names: Iterable[str] | None = None) -> Iterator[ProvisionerSpec]:
    """The steps of a build, one by one: groups taken apart, those of other builds left out, overrides done.

    What comes out is a plain step, or a :class:`Step` that says only how it is run.

    :param names: of the build: see :class:`Meta`; ``None`` leaves nothing out and overrides nothing.
    """
    names = None if names is None else tuple(names)
    for item in declared:
        spec = as_spec(item)
        if not isinstance(spec, Meta):
            yield spec
        elif names is None or spec.applies_to(names):
            fields = {} if names is None else spec.overridden(names)
            for member in steps_of(spec.members, names):
                yield _wrapped(spec, with_fields(member, fields))


def _wrapped(meta: Meta, member: ProvisionerSpec) -> ProvisionerSpec:
    """``member`` run as ``meta`` says."""
    said = {
        field.name: getattr(meta, field.name)
        for field in attrs.fields(Meta)
        if field.name not in ("only", "except_", "override")
    }
    if isinstance(member, Step):
        ages = [age for age in (meta.max_age, member.max_age) if age is not None]
        said.update(cache=meta.cache and member.cache, max_age=min(ages, default=None))
    wrapped = Step(member, **said)
    return member if wrapped == Step(member) else wrapped
