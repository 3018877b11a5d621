"""Values that become known, and do not fit into the field that waits for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.declare.fill import fill
from packerpy.declare.fit import misfit
from packerpy.declare.later import Later
from packerpy.errors import ValidationError
from packerpy.execute.ready import ready
from packerpy.testing import make_run
from packerpy.values import Endpoint, Machine


def _problems(source: Any, **variables: object) -> list[str]:
    return [str(problem) for problem in pp.validate(pp.Image("web", source), variables=variables)]


def _qemu(**fields: Any) -> pp.Qemu:
    return pp.Qemu(**{"disk": "/etc/hostname", **fields})


def test_numbers_as_in_packer() -> None:
    """``cpus = var.cpus``, a list of disks, a port: what a plain value gives, with the problems of a plain value."""
    disks, port = pp.Variable("disks", type=list), pp.Variable("port", default=2222)
    cpus, memory = pp.Variable("cpus", default=2), pp.Variable("memory", default="2 GiB")
    source = pp.Qemu(
        disk="/etc/hostname", cpus=cpus, memory=memory, extra_disks=disks, host_port=port, shutdown_timeout=cpus
    )
    assert _problems(source, disks=["1 GiB", 1 << 30]) == []
    (seen,) = _problems(source, disks=["1 GiB"], cpus=500)
    assert seen.startswith("web.source.cpus: is not a number of processors (seen: 500)")
    (seen,) = _problems(source, disks=["huge"])
    assert seen.startswith("web.source.extra_disks[0]: is not a size (seen: 'huge')")
    (seen,) = _problems(source, disks=[], port=0)
    assert seen.startswith("web.source.host_port: is not a port")


V = pp.Variable("v")
HIDDEN = pp.Variable("v", sensitive=True)
WRONG = "has a value of the wrong type: it takes"
NO_SECRET = "cannot be a secret (seen: Secret(<secret>)); give a plain value; nothing here could keep a secret"


@pytest.mark.parametrize(
    ("source", "given", "problem"),
    [
        (_qemu(cpus=V), "4", f"cpus: {WRONG} int (seen: '4'); declare it as Variable('v', type=int)"),
        (_qemu(generalize=V), "no", f"generalize: {WRONG} bool (seen: 'no'); declare it as Variable('v', type=bool)"),
        (
            _qemu(boot_timeout=pp.Variable("v", type=list)),
            [1],
            f"boot_timeout: {WRONG} float or None (seen: (1,)); declare it as Variable('v', type=float)",
        ),
        (_qemu(format=V), "vmdk", f"format: {WRONG} 'qcow2' or 'raw' (seen: 'vmdk')"),
        (
            pp.Bootstrap(packages=["curl", pp.Variable("v", type=list)]),
            ["wget", 1],
            f"packages: {WRONG} tuple[str, ...] (seen: ('curl', ('wget', 1)))",
        ),
        (
            _qemu(http=pp.WebServer("/etc", port=V)),
            "80",
            f"http.port: {WRONG} tuple[int, int] or None (seen: '80'); declare it as Variable('v', type=int)",
        ),
        (
            _qemu(disk=pp.Variable("v", type=int)),
            5,
            f"disk: {WRONG} Output or Artifact or Path or str or None (seen: 5); declare it as Variable('v', type=str)",
        ),
        (_qemu(memory=HIDDEN), "1 GiB", f"memory: {NO_SECRET}"),
        (_qemu(user=pp.text("a", HIDDEN)), "hush-hush", f"user: {NO_SECRET}"),
    ],
)
def test_what_does_not_fit(source: Any, given: object, problem: str) -> None:
    """One problem: where, what, what was seen, what to do."""
    assert _problems(source, v=given) == [f"web.sources[0].{problem}"]


def test_all_at_once() -> None:
    """Every field that does not fit is told, those of an image that others stand on as well, each once."""
    v = pp.Variable("v", default="x")
    base = pp.Image("base", pp.Fake(cpus=v))
    web = pp.Image("web", pp.Qemu(disk=base.output(), cpus=v, boot_wait=v), provision=[pp.Sleep(v)])
    told = [problem.where for problem in pp.validate([web, base])]
    assert told == [
        "base.sources[0].cpus",
        "web.sources[0].boot_wait",
        "web.sources[0].cpus",
        "web.provision[0].seconds",
    ]


def test_texts_take_numbers_where_they_take_secrets() -> None:
    """Such texts are made when a step runs, of whatever a variable was; a list is none."""
    step = pp.Shell("true", env={"A": pp.Variable("n", default=1), "B": pp.Variable("t", default=True)})
    assert pp.validate(pp.Image("web", pp.Fake(), provision=[step])) == ()
    listed = pp.Shell("true", env={"A": pp.Variable("n", default=[1])})
    (problem,) = pp.validate(pp.Image("web", pp.Fake(), provision=[listed]))
    assert problem.where == "web.provision[0].env"
    assert "it takes Mapping[str, Text]" in problem.what


def test_values_of_data_sources(tmp_path: Path) -> None:
    """They become numbers and lists as well; what does not fit is told before anything is planned."""
    (tmp_path / "machine.json").write_text('{"cpus": 3, "seconds": 1.5, "packages": ["curl", "wget"], "bad": "x"}')
    machine = pp.FileData(tmp_path / "machine.json")["data"]

    def planned(key: str) -> pp.Image:
        fake = pp.Fake(cpus=machine[key], boot_seconds=machine["seconds"])
        return pp.Image("web", fake, provision=[pp.Packages(machine["packages"])])

    build = pp.plan(planned("cpus"), output=tmp_path).builds["web"]
    assert (build.source.cpus, build.source.boot_seconds) == (3, 1.5)
    assert build.image.provision == (pp.Packages("curl", "wget"),)
    with pytest.raises(ValidationError) as failed:
        pp.plan(planned("bad"), output=tmp_path)
    assert [str(problem) for problem in failed.value.problems] == [
        "web.sources[0].cpus: has a value of the wrong type: it takes float (seen: 'x')"
    ]


def test_a_data_source_of_values_of_another(tmp_path: Path) -> None:
    """One whose own field does not fit is not read."""
    (tmp_path / "a.json").write_text('{"seconds": "soon"}')
    first = pp.FileData(tmp_path / "a.json")
    second = pp.CommandData("touch", str(tmp_path / "ran"), timeout=first["data"]["seconds"])
    with pytest.raises(ValidationError) as failed:
        pp.plan(pp.Image("web", pp.Fake(), provision=[pp.Shell(second["text"])]), output=tmp_path)
    assert [problem.where for problem in failed.value.problems] == ["command.timeout"]
    assert not (tmp_path / "ran").exists()


def test_values_of_the_machine(tmp_path: Path) -> None:
    """They are put into numbers too, and what does not fit is told before the step begins."""
    machine = Machine(id="m", endpoint=Endpoint(port=22), communicator=pp.SSH(), facts={"name": "web"})
    run = make_run(tmp_path)
    filled = ready(run, pp.Shell("true", timeout=pp.this_build.port, valid_exit_codes=[pp.this_build.port]), machine)
    assert (filled.timeout, filled.valid_exit_codes) == (22, (22,))
    with pytest.raises(ValidationError, match="timeout: has a value of the wrong type: it takes float or None"):
        ready(run, pp.Shell("true", timeout=pp.this_build.fact("name")), machine)


def test_a_list_among_words() -> None:
    """A variable among the words of a list may be a list itself; its items take its place."""
    more = pp.Variable("more", default=["b", "c"])
    for declared, plain in (
        (pp.Packages("a", more), pp.Packages("a", "b", "c")),
        (pp.Bootstrap(packages=["a", more]), pp.Bootstrap(packages=["a", "b", "c"])),
        (pp.Shell("a", more, script=None), pp.Shell("a", "b", "c")),
        (pp.Ansible("x.yml", groups=["a", more]), pp.Ansible("x.yml", groups=["a", "b", "c"])),
        (pp.Qemu(boot_command=["a", more]), pp.Qemu(boot_command=["a", "b", "c"])),
        (pp.CommandData("a", more), pp.CommandData("a", "b", "c")),
    ):
        assert (
            fill(declared, lambda later: later.default if isinstance(later, pp.Variable) else later, problems=[])
            == plain
        )


def test_a_default_that_follows_another_field() -> None:
    """It waits with the field that it follows."""
    name = pp.Variable("name", default="web.tar.gz")

    def lookup(later: Later) -> object:
        return later.default if isinstance(later, pp.Variable) else later

    assert fill(pp.Compress(name=name), lookup) == pp.Compress(name="web.tar.gz")
    proxy = pp.Proxy(host="proxy", protocol=pp.Variable("protocol", default="http"))
    assert fill(proxy, lookup) == pp.Proxy(host="proxy", protocol="http")


def test_a_class_whose_types_nobody_knows() -> None:
    """Of a plug-in's declaration with annotations that cannot be resolved, values are not looked at."""

    @attrs.frozen
    class Odd:
        field: "Nowhere"  # type: ignore[name-defined]  # noqa: F821, UP037

    assert misfit(Odd, "field", pp.Variable("v"), object()) is None
