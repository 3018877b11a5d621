"""Installation media for tests: Debian's own network installer as an ISO that boots to a prompt.

The kernel and the initial file system come from Debian's packages ``debian-installer-*-netboot-amd64``, isolinux from
its own. An installer also loads components (udebs) from the mirror while it runs. Some mirrors carry packages only, and
not all of the components; those that a minimal installation on virtio disks needs are then made from the packages of the
same suite and added to the initial file system (:func:`with_components`). Others keep the index of components of the point
release before, for another kernel and with another checksum than the one that was signed.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

BOOKWORM = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
"""Where the package for Debian 12 puts kernel and initrd.gz."""
_ISOLINUX = Path("/usr/lib/ISOLINUX/isolinux.bin")
_LDLINUX = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")
_MENU = """\
serial 0 115200
prompt 1
timeout 0
say Debian network installer, type the name of a label
label install
  kernel linux
  append initrd=initrd.gz
"""

Stanzas = Mapping[str, Mapping[str, str]]


def make_iso(images: Path, target: Path, *, extra: Path | None = None) -> Path:
    """An ISO with the kernel ``linux`` and ``initrd.gz`` of a folder; boots by BIOS to isolinux's prompt.

    :param extra: a second, compressed archive that is unpacked over the initial file system.
    """
    tree = target.with_suffix(".tree")
    tree.mkdir()
    for source in (_ISOLINUX, _LDLINUX, images / "linux"):
        shutil.copy(source, tree)
    with (tree / "initrd.gz").open("wb") as whole:
        for part in (images / "initrd.gz", *([extra] if extra else [])):
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, whole)
    (tree / "isolinux.cfg").write_text(_MENU)
    boot = ["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", "netboot", *boot, "-o", target, tree]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)
    return target


class Archive:
    """One suite of a mirror: its packages and its installer's components.

    :ivar folder: scratch.
    :ivar is_stale: whether its index of components is not the one that its signed list of files names.
    """

    def __init__(self, mirror: str, suite: str, folder: Path) -> None:
        self._mirror, self._folder = mirror.rstrip("/"), folder
        suites = f"{self._mirror}/dists/{suite}"
        self.packages: Stanzas = _stanzas(_get(f"{suites}/main/binary-amd64/Packages.xz"))
        index = _get(f"{suites}/main/debian-installer/binary-amd64/Packages.xz")
        self.components: Stanzas = _stanzas(index)
        self.is_stale = hashlib.sha256(index).hexdigest() not in _get(f"{suites}/Release").decode()

    def unpack(self, package: str, target: Path) -> None:
        """Fetch a package and unpack its files, without running anything of it."""
        deb = self._folder / f"{package}.deb"
        deb.write_bytes(_get(f"{self._mirror}/{self.packages[package]['Filename']}"))
        subprocess.run(["dpkg-deb", "-x", deb, target], check=True)
        deb.unlink()

    def has(self, component: str) -> bool:
        """Whether the mirror really carries what its index names."""
        url = f"{self._mirror}/{self.components[component]['Filename']}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=60):
                return True
        except urllib.error.HTTPError:
            return False


def netboot_images(archive: Archive, release: int, folder: Path) -> Path:
    """The folder with ``linux`` and ``initrd.gz`` of a Debian release's network installer."""
    archive.unpack(f"debian-installer-{release}-netboot-amd64", folder)
    return folder / f"usr/lib/debian-installer/images/{release}/amd64/text/debian-installer/amd64"


def with_components(archive: Archive, initrd: Path, folder: Path) -> Path | None:
    """An archive with what the installer needs and the mirror does not carry; ``None`` when it carries all."""
    old = _status(initrd)
    kernel = (
        next(name for name in old if name.startswith("kernel-image-")).removeprefix("kernel-image-").removesuffix("-di")
    )
    components, renamed = _for_kernel(archive.components, kernel)
    missing = [name for name in _wanted(components, old, kernel) if name in renamed or not archive.has(name)]
    if not missing and not archive.is_stale:
        return None
    tree = folder / "components"
    tree.mkdir()
    if any("-modules-" in name for name in missing):
        _add_modules(archive, kernel, tree, folder)
    if "e2fsprogs-udeb" in missing:
        _add_e2fsprogs(archive, tree, folder)
    if archive.is_stale:
        _believe_index(initrd, tree)
    if renamed:
        (tree / "preseed.cfg").write_text("d-i anna/no_kernel_modules boolean true\n")
    entries = [_installed(components[name]) for name in missing]
    (tree / "var/lib/dpkg").mkdir(parents=True)
    kept = _unpack_one(initrd, "var/lib/dpkg/status").rstrip("\n")
    (tree / "var/lib/dpkg/status").write_text(kept + "\n\n" + "\n\n".join(entries) + "\n")
    target = folder / "components.gz"
    names = subprocess.run(["find", ".", "-mindepth", "1"], cwd=tree, check=True, capture_output=True).stdout
    with target.open("wb") as stream:
        packed = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, input=names, check=True, capture_output=True
        )
        subprocess.run(["gzip", "-1", "-c"], input=packed.stdout, stdout=stream, check=True)
    shutil.rmtree(tree)
    return target


def _for_kernel(components: Stanzas, kernel: str) -> tuple[Stanzas, set[str]]:
    """The components, and the names of those that stand for a kernel's own where the index has another kernel's only."""
    kernels = {entry["Kernel-Version"] for entry in components.values() if "Kernel-Version" in entry}
    if kernel in kernels or not kernels:
        return components, set()
    other = max(kernels, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    own = {
        name.replace(other, kernel): {field: value.replace(other, kernel) for field, value in entry.items()}
        for name, entry in components.items()
        if entry.get("Kernel-Version") == other
    }
    return {**components, **own}, set(own)


def _believe_index(initrd: Path, tree: Path) -> None:
    """Let the installer take the mirror's index as it is; each component is still compared with what that says.

    Such a mirror's detached signature is of the release before as well, so that is not looked at either. The packages of
    the system come by another, whose signature is in the list of files itself.
    """
    name = "usr/lib/debian-installer/retriever/net-retriever"
    script = _unpack_one(initrd, name)
    for looks, instead in (
        ('if type gpgv >/dev/null && [ -f "$keyring" ]; then', "if false; then"),
        ('checkmatch "$Release" "$Packages" "$pkgfile"', 'log "not compared: $pkgfile"'),
    ):
        assert looks in script
        script = script.replace(looks, instead)
    (tree / name).parent.mkdir(parents=True)
    (tree / name).write_text(script)
    (tree / name).chmod(0o755)


def _wanted(components: Stanzas, present: Stanzas, kernel: str) -> list[str]:
    """What the installer will load: everything standard, and what that depends on."""
    provided: dict[str, list[str]] = {}
    for table in (components, present):
        for name, entry in table.items():
            for virtual in _names(entry.get("Provides", "")):
                provided.setdefault(virtual, []).append(name)
    wanted = {
        name
        for name, entry in components.items()
        if entry.get("Priority") in ("required", "important", "standard")
        and name not in present
        and entry.get("Kernel-Version", kernel) == kernel
    }
    waiting = list(wanted)
    while waiting:
        for needed in _names(components[waiting.pop()].get("Depends", "")):
            have = [needed, *provided.get(needed, ())]
            fitting = [
                name for name in have if name in components and components[name].get("Kernel-Version", kernel) == kernel
            ]
            if fitting and not set(have) & (set(present) | wanted):
                wanted.add(fitting[0])
                waiting.append(fitting[0])
    return sorted(wanted)


def _add_modules(archive: Archive, kernel: str, tree: Path, folder: Path) -> None:
    """File systems and disk drivers for virtual machines, and an index of them all."""
    image = folder / "kernel"
    archive.unpack(f"linux-image-{kernel}", image)
    modules = next(
        path for path in (image / "usr/lib/modules" / kernel, image / "lib/modules" / kernel) if path.is_dir()
    )
    subprocess.run(["/usr/sbin/depmod", "-b", modules.parents[2], kernel], check=True, capture_output=True)
    kept = ("fs/", "lib/", "crypto/", "arch/x86/crypto/", "drivers/block/", "drivers/scsi/", "drivers/ata/",
            "drivers/cdrom/", "drivers/md/", "drivers/virtio/")  # fmt: skip
    for path in (*modules.rglob("*.ko*"), *modules.glob("modules.*")):
        inside = str(path.relative_to(modules)).removeprefix("kernel/")
        if inside.startswith(kept) or path.parent == modules:
            target = tree / "usr/lib/modules" / kernel / path.relative_to(modules)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    shutil.rmtree(image)


def _add_e2fsprogs(archive: Archive, tree: Path, folder: Path) -> None:
    """Programs that make and check ext4, with their libraries."""
    unpacked = folder / "e2fsprogs"
    for package in ("e2fsprogs", "libext2fs2t64", "libcom-err2", "libss2"):
        archive.unpack(package, unpacked)
    (tree / "usr/sbin").mkdir(parents=True)
    (tree / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    for pattern, place in (("**/sbin/*", "usr/sbin"), ("**/lib*.so.*", "usr/lib/x86_64-linux-gnu")):
        for path in unpacked.glob(pattern):
            shutil.copy(path, tree / place, follow_symlinks=False)
    etc = tree / "etc"
    etc.mkdir()
    shutil.copy(unpacked / "etc/mke2fs.conf", etc)
    shutil.rmtree(unpacked)


def _installed(entry: Mapping[str, str]) -> str:
    """The entry of a component in the installer's own table of what is installed."""
    fields = ["Package", "Version", "Architecture", "Provides", "Depends", "Kernel-Version", "Priority", "Section"]
    lines = [f"{field}: {entry[field]}" for field in fields if field in entry]
    return "\n".join([lines[0], "Status: install ok installed", *lines[1:], "Description: from a package"])


def _status(initrd: Path) -> Stanzas:
    return _stanzas(_unpack_one(initrd, "var/lib/dpkg/status").encode())


def _unpack_one(initrd: Path, name: str) -> str:
    packed = subprocess.run(["gzip", "-dc", initrd], check=True, capture_output=True).stdout
    command = ["cpio", "-i", "--quiet", "--to-stdout", name, f"./{name}"]
    return subprocess.run(command, input=packed, check=True, capture_output=True).stdout.decode()


def _names(field: str) -> Iterable[str]:
    """``a (>= 1) | b, c`` as ``a``, ``c``."""
    return [part.split("|")[0].split("(")[0].strip() for part in field.split(",") if part.strip()]


def _stanzas(raw: bytes) -> Stanzas:
    text = (lzma.decompress(raw) if raw.startswith(b"\xfd7zXZ") else raw).decode()
    found = (dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE)) for stanza in text.split("\n\n"))
    return {entry["Package"]: entry for entry in found if "Package" in entry}


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        data: bytes = answer.read()
    return data
