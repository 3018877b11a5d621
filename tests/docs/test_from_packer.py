"""The pages for people who come from Packer name every option of its QEMU builder, and what there is here."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

import packerpy as pp

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("how-to/from-packer.md", "reference/communicators.md")

OPTIONS = [
    "accelerator",
    "boot_command",
    "boot_key_interval",
    "boot_keygroup_interval",
    "boot_steps",
    "boot_wait",
    "cd_content",
    "cd_files",
    "cd_label",
    "cdrom_interface",
    "communicator",
    "cores",
    "cpu_model",
    "cpus",
    "disable_vnc",
    "disk_additional_size",
    "disk_cache",
    "disk_compression",
    "disk_detect_zeroes",
    "disk_discard",
    "disk_image",
    "disk_interface",
    "disk_size",
    "display",
    "efi_boot",
    "efi_firmware_code",
    "efi_firmware_vars",
    "firmware",
    "floppy_content",
    "floppy_dirs",
    "floppy_files",
    "floppy_label",
    "format",
    "headless",
    "host_port_max",
    "host_port_min",
    "http_bind_address",
    "http_content",
    "http_directory",
    "http_interface",
    "http_network_protocol",
    "http_port_max",
    "http_port_min",
    "iso_checksum",
    "iso_skip_cache",
    "iso_target_extension",
    "iso_target_path",
    "iso_url",
    "iso_urls",
    "machine_type",
    "memory",
    "net_bridge",
    "net_device",
    "output_directory",
    "pause_before_connecting",
    "qemu_binary",
    "qemu_img_args",
    "qemuargs",
    "qmp_enable",
    "qmp_socket_path",
    "run_once",
    "shutdown_command",
    "shutdown_timeout",
    "skip_compaction",
    "skip_nat_mapping",
    "skip_resize_disk",
    "sockets",
    "ssh_agent_auth",
    "ssh_bastion_agent_auth",
    "ssh_bastion_certificate_file",
    "ssh_bastion_host",
    "ssh_bastion_interactive",
    "ssh_bastion_password",
    "ssh_bastion_port",
    "ssh_bastion_private_key_file",
    "ssh_bastion_username",
    "ssh_certificate_file",
    "ssh_ciphers",
    "ssh_clear_authorized_keys",
    "ssh_disable_agent_forwarding",
    "ssh_file_transfer_method",
    "ssh_handshake_attempts",
    "ssh_host",
    "ssh_host_port_max",
    "ssh_host_port_min",
    "ssh_keep_alive_interval",
    "ssh_key_exchange_algorithms",
    "ssh_keypair_name",
    "ssh_local_tunnels",
    "ssh_password",
    "ssh_port",
    "ssh_private_key_file",
    "ssh_proxy_host",
    "ssh_proxy_password",
    "ssh_proxy_port",
    "ssh_proxy_username",
    "ssh_pty",
    "ssh_read_write_timeout",
    "ssh_remote_tunnels",
    "ssh_timeout",
    "ssh_username",
    "ssh_wait_timeout",
    "temporary_key_pair_bits",
    "temporary_key_pair_name",
    "temporary_key_pair_type",
    "threads",
    "tpm_device_type",
    "use_backing_file",
    "use_default_display",
    "use_pflash",
    "use_tpm1",
    "vm_name",
    "vnc_bind_address",
    "vnc_port_max",
    "vnc_port_min",
    "vnc_use_password",
    "vtpm",
    "winrm_host",
    "winrm_insecure",
    "winrm_no_proxy",
    "winrm_password",
    "winrm_port",
    "winrm_timeout",
    "winrm_use_ntlm",
    "winrm_use_ssl",
    "winrm_username",
]
"""Of the builder and its communicators, but for those that Packer sets itself (``packer_…``, keys as bytes)."""


def rows(*pages: str) -> list[list[str]]:
    """Both sides of the pages' tables."""
    lines = "\n".join((DOCS / page).read_text() for page in pages).splitlines()
    return [
        line.strip("| ").split(" | ", 1) for line in lines if line.startswith("| ") and not line.startswith("| ---")
    ]


def test_every_option_is_named():
    """On the left side, as a word of its own."""
    named = {word for left, *_ in rows(*PAGES) for word in re.findall(r"`(\w+)", left)}
    assert [option for option in OPTIONS if option not in named] == []


def test_what_is_named_is_there():
    """A word with ``=`` on the right side is a field of ``Qemu``."""
    fields = {field.name for field in attrs.fields(pp.Qemu)}
    named = {word for *_, right in rows(PAGES[0]) for word in re.findall(r"`(\w+)=", right)}
    assert len(named) > 30
    assert sorted(named - fields) == []
