"""Importing packerpy is cheap, and loads no platform's library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "boto3",
    "botocore",
    "cryptography",
    "docker",
    "fabric",
    "httpx",
    "hvac",
    "invoke",
    "libvirt",
    "openstack",
    "paramiko",
    "pycdlib",
    "pyVmomi",
    "pylxd",
    "qemu",
    "testinfra",
    "zstandard",
)
"""Libraries of platforms, channels and formats: each is loaded by the worker that uses it."""

INTERFACE = ("cyclopts", "rich", "structlog")
"""What only the command line needs."""


def loaded_by(code: str) -> dict[str, float]:
    """The top-level modules that a fresh interpreter has loaded after some code, and how long it took."""
    script = (
        "import sys, time, json; before = time.process_time()\n"
        f"{code}\n"
        "took = time.process_time() - before\n"
        "print(json.dumps({name.partition('.')[0]: took for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return dict(json.loads(ended.stdout))


def test_import_loads_no_platform_library() -> None:
    """Neither a heavy library nor one of the command line's is loaded by `import packerpy`."""
    loaded = loaded_by("import packerpy")
    assert [name for name in (*HEAVY, *INTERFACE) if name in loaded] == []


def test_declaring_and_validating_loads_no_platform_library() -> None:
    """Declaring an image with every kind of step and validating it stays as cheap."""
    code = (
        "import packerpy as pp\n"
        "base = pp.Image('base', source=pp.Bootstrap())\n"
        "web = pp.Image('web', source=pp.Qemu(disk=base.output()), provision=[pp.Shell('true'),"
        " pp.File(content='x', to='/x')], tests=[pp.Check('true')], post=[pp.Convert('vmdk'), pp.Compress('zst'),"
        " pp.Checksum('sha256'), pp.Manifest()])\n"
        "assert pp.validate(web) == ()"
    )
    loaded = loaded_by(code)
    assert [name for name in (*HEAVY, *INTERFACE) if name in loaded] == []


def test_import_loads_nothing_large_that_few_need() -> None:
    """Amazon's declarations, HTTP and asynchronous code of the standard library come with who uses them."""
    code = (
        "import packerpy, packerpy.cli.main\n"
        "late = ('packerpy.backends.amazon', 'http.client', 'ssl', 'asyncio', 'rich.console', 'rich.table')\n"
        "assert [name for name in late if name in sys.modules] == []\n"
        "assert packerpy.amazon.EBS"
    )
    assert "packerpy" in loaded_by(code)


def test_import_is_quick() -> None:
    """Less than a second of processor time, on a slow machine too; a heavy import would show here."""
    assert min(next(iter(loaded_by("import packerpy").values())) for _ in range(3)) < 1.0


@pytest.mark.parametrize("name", ["packerpy", "packerpy.testing", "packerpy.contracts", "packerpy.events"])
def test_public_names_exist(name: str) -> None:
    """Everything that a public module promises in `__all__` is there, sorted, and documented."""
    module = __import__(name, fromlist=["*"])
    public = getattr(module, "__all__", [])
    assert len(set(public)) == len(public)
    for attribute in public:
        value = getattr(module, attribute)
        assert isinstance(value, str) or value.__doc__, f"{name}.{attribute} has no docstring"
