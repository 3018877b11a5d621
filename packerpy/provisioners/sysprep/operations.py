"""What can be reset, each as a piece of portable shell that runs as root with ``set -e``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen(kw_only=True)
class Operation:
    """One of them.

    :ivar what: what is reset, for people.
    :ivar script: the shell.
    :ivar usual: whether it is done without being named.
    :ivar of_disk: whether it is about the disk below the file systems, which only a virtual machine has to itself.
    """

    what: str
    script: str
    usual: bool = True
    of_disk: bool = False


def _remove(what: str, *paths: str, usual: bool = True) -> Operation:
    return Operation(what=what, script=f"rm -rf {' '.join(paths)}", usual=usual)


_HOMES = "/root /home/*"

_MACHINE_ID = """
# Empty and not missing: systemd then makes a new one at the next boot without thinking that it is the first of all.
if [ -e /etc/machine-id ]; then : > /etc/machine-id; fi
if [ -f /var/lib/dbus/machine-id ] && [ ! -L /var/lib/dbus/machine-id ]; then rm -f /var/lib/dbus/machine-id; fi
"""

_SSH_HOST_KEYS = """
# Only where something makes new ones at the next boot; without them sshd lets nobody in.
if [ -x /usr/bin/cloud-init ] || [ -e /usr/lib/packerpy ] || [ -e /etc/packerpy ] || grep -qs 'ssh-keygen.* -A' \\
    /etc/init.d/ssh* /etc/systemd/system/ssh* /usr/lib/systemd/system/ssh* /lib/systemd/system/ssh*; then
    rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
elif ls /etc/ssh/ssh_host_*_key > /dev/null 2>&1; then
    echo 'ssh-hostkeys: kept, for nothing here would make new ones'
fi
"""

_LOGS = """
if [ -d /run/systemd/system ] && command -v journalctl > /dev/null; then journalctl --relinquish-var || :; fi
rm -rf /var/log/journal/* /run/log/journal/*
[ -d /var/log ] || exit 0
# Old ones go; those in use are emptied, for not every service may make its own anew.
find /var/log -xdev -type f \\( -name '*.gz' -o -name '*.xz' -o -name '*.[0-9]' -o -name '*.old' \\) -exec rm -f {} +
find /var/log -xdev -type f -exec sh -c 'for log do : > "$log"; done' sh {} +
"""

_TEMPORARY = """
for folder in /tmp /var/tmp; do
    [ -d "$folder" ] || continue
    find "$folder" -xdev -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -exec rm -rf {} +
done
"""

_RANDOM_SEED = """
# Its service saves one when it stops: stop it now, so that the next shutdown saves none.
if [ -d /run/systemd/system ]; then systemctl stop systemd-random-seed.service 2> /dev/null || :; fi
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/urandom/random-seed /etc/random-seed
"""

_PACKAGE_CACHE = """
rm -rf /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/* /var/cache/apt/*.bin
rm -rf /var/cache/dnf/* /var/cache/yum/* /var/cache/apk/* /var/cache/zypp/* /var/cache/pacman/pkg/*
"""

_PACKAGE_LISTS = """
[ ! -d /var/lib/apt/lists ] || find /var/lib/apt/lists -type f -exec rm -f {} +
rm -f /lib/apk/db/APKINDEX*
"""

_CLOUD_INIT = """
rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
rm -f /var/log/cloud-init.log /var/log/cloud-init-output.log /etc/netplan/50-cloud-init.yaml
"""

_LOGINS = """
for log in /var/log/wtmp /var/log/btmp /var/log/lastlog /var/run/utmp; do
    if [ -e "$log" ]; then : > "$log"; fi
done
"""

_HARDWARE_ADDRESSES = """
for file in /etc/sysconfig/network-scripts/ifcfg-*; do
    [ ! -f "$file" ] || sed -i '/^HWADDR=/d' "$file"
done
"""

_HISTORY = f"""
for home in {_HOMES}; do
    rm -f "$home"/.bash_history "$home"/.zsh_history "$home"/.ash_history "$home"/.sh_history "$home"/.python_history
    rm -f "$home"/.lesshst "$home"/.viminfo "$home"/.wget-hsts "$home"/.mysql_history "$home"/.psql_history
done
"""

_TRIM = """
sync
# Space that the disk is told to be free reads as zeros, so the image becomes smaller.
if command -v fstrim > /dev/null; then fstrim --all --quiet-unsupported 2> /dev/null || :; fi
"""

_ZERO_FREE = """
# What a trim has freed need not be written; only what cannot be trimmed is filled, once a device.
seen=
while read -r device folder type options rest; do
    case $type in ext[234] | xfs | btrfs | f2fs | vfat) ;; *) continue ;; esac
    case ",$options," in *,ro,*) continue ;; esac
    case " $seen " in *" $device "*) continue ;; esac
    folder=$(printf '%b' "$folder")
    [ -d "$folder" ] || continue
    seen="$seen $device"
    sync
    if fstrim "$folder" 2> /dev/null; then continue; fi
    fill=$folder/.packerpy-zeros
    trap 'rm -f "$fill"' EXIT
    dd if=/dev/zero of="$fill" bs=1M 2> /dev/null || :  # ends when the file system is full
    sync
    rm -f "$fill"
    sync
done < /proc/mounts
"""

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "machine-id": Operation(what="the machine's id", script=_MACHINE_ID),
        "ssh-hostkeys": Operation(what="SSH host keys, where new ones are made at boot", script=_SSH_HOST_KEYS),
        "random-seed": Operation(what="the saved random seed", script=_RANDOM_SEED),
        "cloud-init": Operation(what="what cloud-init has done for this instance", script=_CLOUD_INIT),
        "dhcp-client-state": _remove(
            "DHCP leases",
            "/var/lib/dhcp/*.leases /var/lib/dhcp/*.lease /var/lib/dhclient/*",
            "/var/lib/dhcpcd/*.lease* /var/lib/NetworkManager/*.lease /var/lib/systemd/network/*.lease",
        ),
        "network-state": _remove(
            "what NetworkManager saw",
            "/var/lib/NetworkManager/timestamps /var/lib/NetworkManager/seen-bssids /var/lib/NetworkManager/secret_key",
        ),
        "net-hwaddr": Operation(what="hardware addresses in network settings", script=_HARDWARE_ADDRESSES),
        "udev-persistent-net": _remove(
            "names tied to hardware addresses",
            "/etc/udev/rules.d/70-persistent-net.rules /etc/udev/rules.d/75-persistent-net-generator.rules",
        ),
        "package-cache": Operation(what="downloaded packages", script=_PACKAGE_CACHE),
        "package-lists": Operation(what="lists of what can be installed", script=_PACKAGE_LISTS),
        "shell-history": Operation(what="what was typed into shells and other programs", script=_HISTORY),
        "mail-spool": _remove("mail", "/var/spool/mail/* /var/mail/* /var/spool/exim4/input/*"),
        "crash-data": _remove(
            "crash dumps",
            "/var/crash/* /var/lib/systemd/coredump/* /var/lib/systemd/pstore/* /var/spool/abrt/* /var/log/crash/*",
        ),
        "passwd-backups": _remove(
            "old copies of the user databases",
            "/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-",
        ),
        "backup-files": _remove(
            "old copies of package databases and settings",
            "/var/lib/dpkg/*-old /var/cache/debconf/*-old /var/backups/*",
        ),
        "blkid-tab": _remove("the cache of block devices", "/run/blkid/* /etc/blkid/blkid.tab* /etc/blkid.tab*"),
        "puppet-data": _remove(
            "certificates and reports of Puppet", "/var/lib/puppet/ssl /etc/puppetlabs/puppet/ssl /var/cache/puppet/*"
        ),
        "salt-data": _remove("keys and cache of Salt", "/etc/salt/pki/minion /etc/salt/minion_id /var/cache/salt/*"),
        "sssd-data": _remove("caches of SSSD", "/var/lib/sss/db/* /var/lib/sss/mc/*"),
        "rhsm-data": _remove("the subscription of Red Hat systems", "/etc/pki/consumer/* /var/lib/rhsm/*"),
        "rpm-db": _remove("locks and indexes of an old rpm database", "/var/lib/rpm/__db.*"),
        "tmp-files": Operation(what="temporary files", script=_TEMPORARY),
        "logfiles": Operation(what="logs, which are emptied", script=_LOGS),
        "utmp": Operation(what="who was logged in", script=_LOGINS),
        "ssh-userdir": _remove("users' SSH settings and keys", "/root/.ssh /home/*/.ssh", usual=False),
        "cron-spool": _remove(
            "users' cron and at jobs", "/var/spool/cron/crontabs/* /var/spool/cron/atjobs/*", usual=False
        ),
        "firewall-rules": _remove(
            "firewall rules",
            "/etc/iptables/rules.v4 /etc/iptables/rules.v6 /etc/sysconfig/iptables",
            "/etc/nftables.conf /etc/firewalld/zones/* /etc/firewalld/services/*",
            usual=False,
        ),
        "kerberos-data": _remove(
            "keys and caches of Kerberos", "/etc/krb5.keytab /var/lib/krb5kdc/* /var/kerberos/krb5kdc/*", usual=False
        ),
        "samba-data": _remove("databases of Samba", "/var/lib/samba/*.tdb /var/lib/samba/private/*", usual=False),
        "dovecot-data": _remove("state of Dovecot", "/var/lib/dovecot/*", usual=False),
        "hostname": Operation(
            what="the host's name", script="echo localhost > /etc/hostname\nrm -f /etc/mailname", usual=False
        ),
        "trim": Operation(what="free space, told to the disk", script=_TRIM, of_disk=True),
        "zero-free": Operation(
            what="free space that cannot be trimmed, filled with zeros", script=_ZERO_FREE, usual=False, of_disk=True
        ),
    }
)
"""By name, in the order in which they are done."""

USUAL = tuple(name for name, operation in OPERATIONS.items() if operation.usual)
