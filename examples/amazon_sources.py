"""What else Amazon can be given: a root of one's own making, volumes without an image, an image without an instance."""

import packerpy as pp

debian = pp.Variable(
    "debian_ami",
    default="ami-0123456789abcdef0",
    description="Debian 12 in eu-west-1; or put newest_ami(…) in its place",
)

# A second disk is filled by the steps, and becomes the root of the image.
own_root = pp.Image(
    "own-root",
    source=pp.amazon.EBSSurrogate(
        ami_name="own-root",
        source_ami=debian,
        instance_type="t3.small",
        user="admin",
        region="eu-west-1",
        disks=[pp.amazon.Disk(device="/dev/xvdf", size="8 GiB", type="gp3")],
        root_source="/dev/xvdf",
        boot_mode="legacy-bios",
    ),
    provision=[
        pp.Shell(
            "apt-get update && apt-get install --yes mmdebstrap",
            "disk=/dev/nvme1n1",
            "printf 'label: dos\\n2048,,L,*\\n' | sfdisk $disk && udevadm settle",
            "mkfs.ext4 -L own-root ${disk}p1 && mount ${disk}p1 /mnt",
            "mmdebstrap --include=linux-image-cloud-amd64,grub-pc,cloud-init,openssh-server,sudo bookworm /mnt",
            "echo 'LABEL=own-root / ext4 defaults 0 1' > /mnt/etc/fstab",
            "for place in dev proc sys; do mount --rbind --make-rslave /$place /mnt/$place; done",
            "chroot /mnt grub-install $disk && chroot /mnt update-grub",
            "umount --recursive /mnt",
            sudo=True,
        ),
    ],
)

# The instance ends; one volume stays, and a snapshot of the other.
data = pp.Image(
    "data",
    source=pp.amazon.EBSVolumes(
        source_ami=debian,
        instance_type="t3.small",
        user="admin",
        region="eu-west-1",
        volumes=[
            pp.amazon.Volume(device="/dev/xvdf", size="20 GiB", type="gp3", tags={"role": "data"}),
            pp.amazon.Volume(device="/dev/xvdg", size="5 GiB", snapshot=True, delete_on_termination=True),
        ],
    ),
    provision=[pp.Shell("mkfs.ext4 /dev/nvme1n1 && mkfs.ext4 /dev/nvme2n1", sudo=True)],
)

# packerpy runs on an instance, as root: a volume is mounted there, and nothing is booted.
mounted = pp.Image(
    "mounted",
    source=pp.amazon.Chroot(ami_name="mounted", source_ami=debian, regions=["us-east-1"]),
    provision=[pp.Shell("apt-get update && apt-get install --yes nginx")],
)
