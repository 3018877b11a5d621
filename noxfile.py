"""Sessions for developers: `nox -l` lists them; without a name, those that take seconds run."""

import pathlib

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "imports", "tests", "docs"]


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes and unformatted code; `nox -s lint -- --fix` repairs what can be repaired."""
    session.install("ruff>=0.11")
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    session.install("-e", ".[test]")
    session.run("mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Check who imports whom."""
    session.install("-e", ".[test]")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that boot no guest, and measure what they cover."""
    session.install("-e", ".[test,docs]")
    session.run("pytest", "-m", "not live", "--cov", "--cov-report=term", *session.posargs)


@nox.session
def live(session: nox.Session) -> None:
    """Run the tests that boot guests: minutes, under emulation."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "live", *session.posargs)


@nox.session
def installer(session: nox.Session) -> None:
    """Install Debian unattended, by its own installer: an hour, under emulation."""
    session.install("-e", ".[test]")
    session.run("pytest", "-s", "tests/installer/debian.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build, warnings being errors."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)


@nox.session
def support(session: nox.Session) -> None:
    """Write docs/reference/support.md anew from what the declarations say of themselves."""
    session.install("-e", ".")
    session.run("python", "-m", "packerpy.registry.support", "docs/reference/support.md")


@nox.session(reuse_venv=False)
def constraints(session: nox.Session) -> None:
    """Write tools/constraints.txt anew: the newest versions of what the two commands install. Then run the tests."""
    session.install("-e", ".[test,docs]")
    without = [f"--exclude={name}" for name in ("pip", "setuptools", "wheel")]
    listed = session.run(
        "python",
        "-m",
        "pip",
        "list",
        "--format=freeze",
        "--disable-pip-version-check",
        "--exclude-editable",
        *without,
        silent=True,
    )
    path = pathlib.Path("tools/constraints.txt")
    comment = next(line for line in path.read_text().splitlines() if line.startswith("#"))
    path.write_text(f"{comment}\n{listed}")


@nox.session
def examples(session: nox.Session) -> None:
    """Validate and plan every example."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/examples", "-m", "not live", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Build the same images by packerpy and by Packer, in turns, and print a table of ratios."""
    session.install("-e", ".")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(venv_backend="none")
def quickstart(session: nox.Session) -> None:
    """Build the quickstart as a new user would."""
    session.run("./quickstart", *session.posargs, external=True)
