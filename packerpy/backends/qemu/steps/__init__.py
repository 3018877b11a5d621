"""What a build in QEMU acquires: one file each."""
