"""The journal: written before, findable after, and a live run is never taken for a dead one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from packerpy.artifacts.database import Database
from packerpy.artifacts.journal import Journal, step_of
from packerpy.contracts import Run, Step
from packerpy.errors import PluginError, SourceError
from packerpy.execute.clean import sweep
from packerpy.kit.folder import Folder
from packerpy.testing import make_run


@attrs.frozen
class Failing(Step[Path]):
    """Makes its thing, then fails: the half-made case."""

    path: Path

    @property
    def title(self) -> str:
        """Which."""
        return f"failing {self.path}"

    def do(self, run: Run) -> Path:
        """Make and fail."""
        self.path.mkdir()
        raise SourceError("half way")

    def undo(self, run: Run, made: Path) -> None:
        """Remove."""
        made.rmdir()

    def find(self, run: Run) -> Path | None:
        """By its path."""
        return self.path if self.path.exists() else None


def test_intent_comes_first(tmp_path: Path) -> None:
    """At the moment a step is done, the journal knows of it already."""
    run = make_run(tmp_path)
    seen: list[str] = []

    @attrs.frozen
    class Looking(Folder):
        def do(self, run: Run) -> Path:
            seen.extend(entry.state for entry in journal.entries())
            return super().do(run)

    journal = run.journal
    run.do(Looking(tmp_path / "made"))
    assert seen == ["intent"]
    assert [entry.state for entry in journal.entries()] == ["made"]
    run.close(failed=False)
    assert journal.entries() == ()


def test_a_half_made_thing_is_found_and_removed(tmp_path: Path) -> None:
    """A step that fails after it made its thing leaves nothing."""
    run = make_run(tmp_path)
    with pytest.raises(SourceError):
        run.do(Failing(tmp_path / "half"))
    assert not (tmp_path / "half").exists()
    assert run.journal.entries() == ()


def test_products_stay_unless_the_run_fails(tmp_path: Path) -> None:
    """``keep`` survives success and not failure; ``do`` survives neither."""
    for failed in (False, True):
        run = make_run(tmp_path)
        product, scaffold = tmp_path / f"product-{failed}", tmp_path / f"scaffold-{failed}"
        run.keep(Folder(product))
        run.do(Folder(scaffold))
        assert run.close(failed=failed) == ()
        assert product.exists() is not failed
        assert not scaffold.exists()


def test_undone_in_reverse(tmp_path: Path) -> None:
    """What was acquired last goes first."""
    run = make_run(tmp_path)
    order: list[str] = []

    @attrs.frozen
    class Noting(Folder):
        def undo(self, run: Run, made: Path) -> None:
            order.append(made.name)
            super().undo(run, made)

    for name in "abc":
        run.do(Noting(tmp_path / name))
    run.close(failed=True)
    assert order == ["c", "b", "a"]


def test_one_undo_that_fails_keeps_none_of_the_others(tmp_path: Path) -> None:
    """It is named, stays in the journal, and the rest is undone."""
    run = make_run(tmp_path)

    @attrs.frozen
    class Stuck(Folder):
        def undo(self, run: Run, made: Path) -> None:
            raise OSError("stuck")

    run.do(Folder(tmp_path / "first"))
    run.do(Stuck(tmp_path / "stuck"))
    (left,) = run.close(failed=True)
    assert "stuck" in left
    assert not (tmp_path / "first").exists()
    assert [Path(entry.title.split()[-1]).name for entry in run.journal.entries()] == ["stuck"]


def test_a_step_is_made_again_from_its_entry(tmp_path: Path) -> None:
    """What the journal holds is enough to find the thing in another process."""
    run = make_run(tmp_path)
    step = Folder(tmp_path / "thing", "thing")
    run.do(step)
    (entry,) = run.journal.entries()
    assert step_of(entry) == step


def test_what_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    """A step that could not be found after a crash is not done at all."""

    @attrs.frozen
    class Odd(Folder):
        thing: object = attrs.field(factory=lambda: sys.stdout)

    run = make_run(tmp_path)
    with pytest.raises(PluginError, match="cannot be journaled"):
        run.do(Odd(tmp_path / "odd"))
    assert not (tmp_path / "odd").exists()


def test_dead_and_live_runs(tmp_path: Path) -> None:
    """A run whose process is gone is dead; ours, and one that ended, are not."""
    path = tmp_path / "state.db"
    script = "import sys; from pathlib import Path; from packerpy.artifacts.database import Database as D; from packerpy.artifacts.journal import Journal as J; J(D(Path(sys.argv[1]))).begin('other')"
    subprocess.run([sys.executable, "-c", script, path], check=True)
    journal = Journal(Database(path))
    journal.begin("ours")
    assert journal.dead_runs() == ("other",)
    journal.end("other")
    assert journal.dead_runs() == ()


def test_runs_that_ended_and_left_something(tmp_path: Path) -> None:
    """What a run could not undo, or left on purpose, is found when somebody asks for it; what it kept is not."""
    run = make_run(tmp_path)
    run.keep(Folder(tmp_path / "product", "product"))
    run.close(failed=False)
    run.journal.end(run.id)
    assert run.journal.runs_that_left() == ()
    other = make_run(tmp_path)
    other.do(Folder(tmp_path / "thing", "thing"))
    other.close(failed=True, undo=False)
    other.journal.end(other.id)
    assert other.journal.dead_runs() == ()
    assert other.journal.runs_that_left() == (other.id,)
    assert [left.error for left in sweep(other.journal, tmp_path, other.journal.runs_that_left())] == [""]
    assert not (tmp_path / "thing").exists()
    assert (tmp_path / "product").exists()
    assert other.journal.runs_that_left() == ()
