"""What of machines in QEMU was run, and against what."""

from __future__ import annotations

from packerpy.values import Support

SUPPORT = (
    Support("`Qemu`, x86_64, machine `q35`, emulation (tcg)", "QEMU 7.2, Debian 12 guests", "run"),
    Support(
        "`Qemu` with kvm",
        "no working kvm; tested is that one which hangs a real kernel, or with which QEMU ends, is noticed",
        "not run",
    ),
    Support("`Qemu`, aarch64", "nothing", "not run"),
    Support("`Qemu`, accelerators hvf, whpx, xen", "nothing", "not run"),
    Support('`Qemu(seed="nocloud")`', "cloud-init 22.4 in a Debian 12 guest; account, login key, host key", "run"),
    Support("`Qemu`, guests other than Debian", "nothing", "not run"),
    Support(
        '`Qemu(layers="live")`: saved and cloned machines',
        "QEMU 7.2 under emulation, Debian 12 guests; under UEFI only saving a machine without a system",
        "run",
    ),
    Support(
        "`Qemu(iso=…)`: boot command, waiting for text (also by tesseract), web server",
        "isolinux and Debian 12's network installer in QEMU 7.2, BIOS",
        "run",
    ),
    Support(
        "`Qemu(iso=…)`: a whole installation",
        "Debian 13's installer in QEMU 7.2 by emulation, BIOS; the disk boots alone (`nox -s installer`)",
        "by hand",
    ),
    Support(
        "`Qemu(kernel=…)` with BIOS: the installer, its reboot, the installed disk",
        "an installer of the tests' own on Debian 12's kernel; QEMU 7.2",
        "run",
    ),
    Support(
        '`Qemu(iso=…, firmware="uefi")`: the order of booting, without an installation',
        "OVMF 2022.11, GRUB, QEMU 7.2",
        "run",
    ),
    Support('`Qemu(firmware="uefi")`: a whole installation', "nothing", "not run"),
    Support(
        "`Qemu(tpm=…)`: the firmware starts it, a kernel sees it, and it is the same after an installer's reboot",
        "swtpm 0.7, SeaBIOS and OVMF in QEMU 7.2; no system that uses it",
        "run",
    ),
    Support(
        "`Qemu(secure_boot=True)`: what is not signed is refused; `keep_variables`",
        "OVMF 2022.11, Debian's shim and GRUB, QEMU 7.2; no whole system",
        "run",
    ),
    Support('`Qemu(cdrom_interface="virtio-scsi")` with BIOS', "isolinux, QEMU 7.2", "run"),
    Support(
        "`Qemu(bridge=…)`",
        "a real bridge and QEMU 7.2's helper, without a system: that a neighbour is there is made up by `ip`",
        "run",
    ),
    Support("`Qemu(bridge=…)`: a whole build by SSH", "Debian 12, dnsmasq, QEMU 7.2 under emulation", "by hand"),
    Support("`Qemu(vnc=…)`", "the first words of a viewer, RFC 6143, QEMU 7.2", "run"),
    Support("`Download`: logins by netrc, `s3://`", "a web server of the tests' own; moto 5.2, not S3 itself", "run"),
    Support(
        '`Qemu(kernel=…, firmware="uefi")`: to the installer\'s first words, and its reboot',
        "Debian 12's network installer, OVMF 2022.11, QEMU 7.2",
        "run",
    ),
    Support("`Qemu(cdroms=…)` with Windows", "nothing", "not run"),
    Support('`Qemu(layers="live")` with kvm, other guests, other architectures', "nothing", "not run"),
    Support(
        '`Qemu(layers="disk")`, `Qemu(shutdown="fast")`',
        "QEMU 7.2 under emulation, Debian 12 guests with QEMU's agent, ext4",
        "run",
    ),
)
