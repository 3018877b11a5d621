"""What a user's type checker makes of values that are known only later; checked by `mypy`, never run."""

import packerpy as pp

cpus = pp.Variable("cpus", default=2)
revision = pp.GitRevision()

pp.Qemu(
    cpus=cpus, extra_disks=cpus, host_port=cpus, http=revision["path"], format=cpus, generalize=cpus, communicator=cpus
)
pp.SSH(timeout=pp.computed(max, cpus, 3), key_files=cpus, port=pp.this_build.port)
pp.Packages("nginx", cpus, manager=revision["manager"])
pp.amazon.Disk(device=pp.text("/dev/", cpus), size=cpus, iops=cpus)

whole: int = pp.Qemu(cpus=cpus).cpus
pp.Qemu(cpus="2")  # type: ignore[arg-type]
