"""What can be wrong with a declaration of a base image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from packerpy.backends.bootstrap.suites import FLAVOURS, KNOWN
from packerpy.declare import Later
from packerpy.errors import DeclarationError
from packerpy.kit.choices import suggestion
from packerpy.kit.sizes import parse_size, show_size
from packerpy.values import Problem

if TYPE_CHECKING:
    from packerpy.backends.bootstrap.specs import Bootstrap

SMALLEST = 512 << 20
"""Bytes; the smallest tree that boots has about 430 MB."""

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:[=/][\w.+:~-]+)?")
_SUITE = re.compile(r"[a-z][a-z0-9.-]*")
_COMPONENT = re.compile(r"[a-z][a-z0-9-]*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_LOCALE = re.compile(r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.(UTF-8|ISO-8859-\d+))?(@\w+)?")
_MIRROR = re.compile(r"(https?|file|copy)://?\S+|deb( \[[^\]]+\])? \S+ \S+( \S+)*")


def problems(spec: Bootstrap) -> Iterable[Problem]:
    """All of them."""
    yield from _archive(spec)
    yield from _packages(spec)
    yield from _machine(spec)
    yield from _users(spec)


def _bad(value: object, pattern: re.Pattern[str]) -> bool:
    """Whether it is a text that does not fit; variables are looked at when they have a value."""
    return not isinstance(value, Later) and (not isinstance(value, str) or not pattern.fullmatch(value))


def _archive(spec: Bootstrap) -> Iterable[Problem]:
    if _bad(spec.suite, _SUITE):
        yield Problem(where="suite", what="not the name of a release", seen=repr(spec.suite), fix="such as `bookworm`")
    elif isinstance(spec.suite, str) and spec.suite not in KNOWN and not spec.mirror:
        fix = suggestion(spec.suite, KNOWN) + ", or say with mirror= where it is"
        yield Problem(where="suite", what="not a release that is known", seen=spec.suite, fix=fix)
    for number, mirror in enumerate(spec.mirror):
        if _bad(mirror, _MIRROR):
            fix = "give a URL, or a line such as `deb URL suite component`"
            yield Problem(where=f"mirror[{number}]", what="not a mirror", seen=repr(mirror), fix=fix)
    for number, component in enumerate(spec.components):
        if _bad(component, _COMPONENT):
            yield Problem(where=f"components[{number}]", what="not a component", seen=repr(component), fix="as `main`")


def _packages(spec: Bootstrap) -> Iterable[Problem]:
    for number, package in enumerate(spec.packages):
        if _bad(package, _PACKAGE):
            fix = "lower-case letters, digits, `+`, `-`, `.`; a version after `=`"
            yield Problem(where=f"packages[{number}]", what="not the name of a package", seen=repr(package), fix=fix)
    if _bad(spec.kernel, _PACKAGE):
        fix = suggestion(spec.kernel, FLAVOURS) + ", or name a package"
        yield Problem(where="kernel", what="neither a flavour nor a package", seen=repr(spec.kernel), fix=fix)
    for number, hook in enumerate(spec.hooks):
        if not isinstance(hook, str) or not hook.strip():
            yield Problem(where=f"hooks[{number}]", what="not a shell line", seen=repr(hook))


def _machine(spec: Bootstrap) -> Iterable[Problem]:
    if not isinstance(spec.size, Later):
        try:
            if parse_size(spec.size) < SMALLEST:
                fix = f"use {show_size(SMALLEST)} or more"
                yield Problem(where="size", what="too small for a system", seen=str(spec.size), fix=fix)
        except DeclarationError as error:
            yield Problem(where="size", what="not a size", seen=repr(spec.size), fix=error.resolution)
    if isinstance(spec.hostname, str) and not all(_LABEL.fullmatch(part) for part in spec.hostname.split(".")):
        fix = "letters, digits and `-`, at most 63 between two dots"
        yield Problem(where="hostname", what="not a name for a machine", seen=repr(spec.hostname), fix=fix)
    if _bad(spec.locale, _LOCALE):
        yield Problem(where="locale", what="not a locale", seen=repr(spec.locale), fix="such as `de_DE.UTF-8`")
    for number, argument in enumerate(spec.kernel_args):
        if not isinstance(argument, str) or not argument or re.search(r"[\s\"'\\;{}$]", argument):
            fix = "one argument an item, without spaces and quotes"
            yield Problem(where=f"kernel_args[{number}]", what="not an argument", seen=repr(argument), fix=fix)
    if spec.format not in ("qcow2", "raw"):
        fix = suggestion(spec.format, ("qcow2", "raw"))
        yield Problem(where="format", what="not a format that is written", seen=repr(spec.format), fix=fix)
    if spec.epoch is not None and (not isinstance(spec.epoch, int) or not 0 <= spec.epoch < 1 << 32):
        fix = "seconds since 1970, below 2**32"
        yield Problem(where="epoch", what="not a time", seen=repr(spec.epoch), fix=fix)


def _users(spec: Bootstrap) -> Iterable[Problem]:
    for number, user in enumerate(spec.users):
        for problem in user.check():
            yield problem.within(f"users[{number}]")
    for name, count in Counter(user.name for user in spec.users).items():
        if count > 1:
            yield Problem(where="users", what="the same account twice", seen=name, fix="say it once")
