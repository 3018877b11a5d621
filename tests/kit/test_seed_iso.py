"""Seed media."""

import io
import json
import stat

import pycdlib

from packerpy.kit.seed_iso import SeedData, nocloud_files, packerpy_files, write_iso

DATA = SeedData(
    instance="i-1",
    hostname="web",
    user="debian",
    authorized_key="ssh-ed25519 AAAA us",
    host_key="-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
    host_key_public="ssh-ed25519 BBBB web",
)


def test_the_image_is_read_back_by_both_kinds_of_long_names(tmp_path):
    """Label, files and folder are found through Rock Ridge and through Joliet; only its owner may read the image."""
    files = nocloud_files(DATA) | packerpy_files(DATA)
    path = write_iso(tmp_path / "seed.iso", files)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    iso = pycdlib.PyCdlib()
    iso.open(str(path))
    try:
        assert iso.pvd.volume_identifier.decode().strip() == "cidata"
        for name, content in files.items():
            for place in ({"rr_path": f"/{name}"}, {"joliet_path": f"/{name}"}):
                out = io.BytesIO()
                iso.get_file_from_iso_fp(out, **place)
                assert out.getvalue() == content
    finally:
        iso.close()


def test_cloud_init_is_told_user_and_keys():
    """``user-data`` is a cloud-config; another user than root may become root."""
    files = nocloud_files(DATA)
    head, _, body = files["user-data"].partition(b"\n")
    assert head == b"#cloud-config"
    config = json.loads(body)
    assert config["users"][0]["name"] == "debian"
    assert (config["users"][0]["primary_group"], config["users"][0]["groups"]) == ("debian", ["debian"])
    assert config["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAA us"]
    assert config["ssh_keys"]["ed25519_private"] == DATA.host_key
    assert json.loads(files["meta-data"]) == {"instance-id": "i-1", "local-hostname": "web"}


def test_the_private_host_key_is_not_printed():
    """Not even in a traceback that shows values."""
    assert "OPENSSH" not in repr(DATA)
