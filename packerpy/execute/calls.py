"""The library's calls: ``validate``, ``plan``, ``why`` and ``build``."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from packerpy.artifacts.database import Database
from packerpy.artifacts.folders import cache_folder
from packerpy.artifacts.history import History
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.record import Record
from packerpy.events import Listener
from packerpy.execute.asking import Ask, AskSecret, AskStop, on_terminal
from packerpy.execute.bus import Bus
from packerpy.execute.cancellation import CancelToken
from packerpy.execute.clean import sweep
from packerpy.execute.engine import Engine, Settings
from packerpy.execute.finished import Outdated
from packerpy.execute.looking import looking_run
from packerpy.execute.perform import OnError
from packerpy.execute.request import Request, Target
from packerpy.execute.result import BuildResult
from packerpy.execute.tokens import Capacity
from packerpy.kit.sizes import parse_size
from packerpy.plan import Again, Plan, Reasons, reasons
from packerpy.values import Problem

Variables = Mapping[str, object]
"""Values of variables, by name."""


def validate(
    *targets: Target, variables: Variables | None = None, variable_files: Iterable[str | Path] = ()
) -> tuple[Problem, ...]:
    """Every problem of the given images and of those they stand on; an empty tuple when all is well. Offline.

    :param targets: images, projects, or lists of images.
    :param variables: values of declared variables, by name.
    :param variable_files: files of them, TOML or JSON; later ones go over earlier ones, ``variables`` over all.
    :raises DeclarationError: a file of variables cannot be read.
    """
    return Request(targets=targets, variables=variables, variable_files=variable_files).graph()[1]


def undeclared(
    *targets: Target, variables: Variables | None = None, variable_files: Iterable[str | Path] = ()
) -> tuple[Problem, ...]:
    """Names in files of variables that no declaration uses; projects may share a file, but it is worth a warning.

    :param variables: as for :func:`validate`.
    """
    return Request(targets=targets, variables=variables, variable_files=variable_files).resolved().undeclared


def plan(
    *targets: Target,
    only: Iterable[str] = (),
    except_: Iterable[str] = (),
    variables: Variables | None = None,
    variable_files: Iterable[str | Path] = (),
    output: str | Path = "output",
    cache: str | Path | None = None,
    no_cache: bool = False,
    from_: Iterable[str] = (),
    only_post: bool = False,
) -> Plan:
    """What :func:`build` would do with the same arguments, and why; nothing is changed.

    :param only: globs of the builds wanted; what they stand on comes along.
    :param except_: globs of builds not wanted.
    :param variables: see :func:`validate`, as for ``variable_files``.
    :param output: the folder under which each build has its output folder.
    :param cache: packerpy's cache folder.
    :param no_cache: see :func:`build`, as the others.
    :raises ValidationError: the declarations have problems.
    :raises PlanError: a glob fits nothing, or what is asked for cannot be done.
    """
    again = Again(everything=no_cache, from_=from_, post=only_post)
    request = Request(
        targets=targets,
        only=only,
        except_=except_,
        variables=variables,
        variable_files=variable_files,
        output=output,
        again=again,
    )
    with _opened(cache) as (folder, database), _begun(database) as (run_id, journal):
        return request.plan(partial(looking_run, run_id, "data", journal, folder), folder, database)[0]


def why(
    *targets: Target,
    task: str,
    variables: Variables | None = None,
    variable_files: Iterable[str | Path] = (),
    output: str | Path = "output",
    cache: str | Path | None = None,
) -> Reasons:
    """Why a task will or will not run: which of its inputs differ from the last time it was done.

    :param task: its id, such as ``web/step-2``; or a build's name, for its first task that runs.
    :raises ValidationError: the declarations have problems.
    :raises PlanError: there is no such task.
    """
    request = Request(targets=targets, variables=variables, variable_files=variable_files, output=output)
    with _opened(cache) as (folder, database), _begun(database) as (run_id, journal):
        made, _ = request.plan(partial(looking_run, run_id, "data", journal, folder), folder, database)
        return reasons(made, task, request.history(database))


def build(
    *targets: Target,
    only: Iterable[str] = (),
    except_: Iterable[str] = (),
    variables: Variables | None = None,
    variable_files: Iterable[str | Path] = (),
    output: str | Path = "output",
    cache: str | Path | None = None,
    force: bool = False,
    on_error: OnError = "cleanup",
    ask: Ask | None = None,
    stop: AskStop | None = None,
    debug: AskStop | None = None,
    ask_secret: AskSecret = on_terminal,
    jobs: int | None = None,
    limits: Mapping[str, int] | None = None,
    no_cache: bool = False,
    from_: Iterable[str] = (),
    only_post: bool = False,
    cache_size: str | int = "20 GiB",
    listeners: Iterable[Listener] = (),
    cancel: CancelToken | None = None,
) -> BuildResult:
    """Build images, and first what they stand on; whatever is unchanged is re-used.

    :param only: globs of the builds wanted; what they stand on comes along.
    :param except_: globs of builds not wanted.
    :param variables: values of declared variables, by name.
    :param variable_files: files of them, TOML or JSON; later ones go over earlier ones, ``variables`` over all.
    :param output: the folder under which each build has its output folder.
    :param cache: packerpy's cache folder; default as the XDG specification says.
    :param force: replace output folders that exist.
    :param on_error: ``cleanup`` undoes everything a failed build made; ``abort`` leaves it all, its machine running,
        for you to look at, until :func:`clean` is called; ``run-cleanup-provisioner`` does too, but the image's
        ``error_cleanup`` steps run; ``ask`` calls ``ask``.
    :param ask: answers ``clean``, ``abort`` or ``retry`` for a failure; may work in the failed machine before.
    :param stop: called at a :class:`packerpy.Breakpoint`; ``False`` cancels the build.
    :param debug: called before each task, one after another; ``False`` cancels the build.
    :param ask_secret: asked for codes of MFA devices; on the terminal, unless told otherwise.
    :param jobs: machines and post-processors at once, at most; memory and processors limit them too.
    :param limits: platform → machines at once, at most.
    :param no_cache: do everything again that makes the wanted images, whatever is stored; images that only come along
        because those stand on them are still re-used.
    :param from_: globs of tasks (``web/step-2``, ``step-2``, or a step's title): they and what comes after them in
        their build are done again.
    :param only_post: do the post-processors again, and nothing else.
    :param cache_size: what saved machines and stored results may take in the cache folder; those used longest ago are
        dropped first.
    :param listeners: called with every event; from any thread, one at a time.
    :param cancel: ``cancel.request()`` from another thread stops the build as one Ctrl-C does.
    :raises ValidationError: the declarations have problems, or the host lacks something; nothing was made.
    :raises PlanError: a glob fits nothing, or what is asked for cannot be done.
    :raises PackerpyError: a build failed (its own type says how).
    :raises BuildFailures: several did.
    :raises CancelledError: it was cancelled.
    """
    again = Again(everything=no_cache, from_=from_, post=only_post)
    request = Request(
        targets=targets,
        only=only,
        except_=except_,
        variables=variables,
        variable_files=variable_files,
        output=output,
        again=again,
    )
    settings = Settings(
        force=force,
        on_error=on_error,
        ask=ask,
        stop=stop,
        debug=debug,
        capacity=Capacity.of_host(jobs=1 if debug is not None else jobs, platforms=limits),
        cache_size=parse_size(cache_size),
    )
    return _built(request, settings, cache, Bus(listeners, ask_secret=ask_secret), cancel or CancelToken())


def _built(
    request: Request, settings: Settings, cache: str | Path | None, bus: Bus, cancel: CancelToken
) -> BuildResult:
    """Clean up, plan, carry out."""
    with _opened(cache) as (folder, database), _begun(database) as (run_id, journal):
        sweep(journal, folder, journal.dead_runs(), resume=True)
        while True:
            look = partial(looking_run, run_id, "data", journal, folder, bus=bus, cancel=cancel)
            made, folders = request.plan(look, folder, database)
            engine = Engine(
                made,
                settings,
                folders=folders,
                cache=folder,
                run_id=run_id,
                bus=bus,
                journal=journal,
                record=Record(database),
                history=History(database),
                cancel=cancel,
            )
            try:
                return engine.run()
            except Outdated:  # something has gone since it was planned, so plan again
                continue


@contextmanager
def _begun(database: Database) -> Iterator[tuple[str, Journal]]:
    """A run that is written down, so that what it acquires can be found whatever becomes of it."""
    run_id, journal = secrets.token_hex(6), Journal(database)
    journal.begin(run_id)
    try:
        yield run_id, journal
    finally:
        journal.end(run_id)


@contextmanager
def _opened(cache: str | Path | None) -> Iterator[tuple[Path, Database]]:
    """The cache folder and its database, closed at the end."""
    folder = Path(cache or cache_folder()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(folder / "state.db")
    try:
        yield folder, database
    finally:
        database.close()
