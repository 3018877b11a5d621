"""Disks into snapshots, block by block."""
