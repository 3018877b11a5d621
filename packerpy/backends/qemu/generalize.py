"""Removing from a guest what belongs to the one boot in which it was built."""

from __future__ import annotations

from packerpy.contracts import Communicator
from packerpy.errors import SourceError
from packerpy.values import Command

SCRIPT = r"""
set -u
# The random seed is saved when its service stops: stop it now, so that it is not saved again at shutdown.
if [ -d /run/systemd/system ]; then
    systemctl stop systemd-random-seed.service 2>/dev/null
    journalctl --relinquish-var 2>/dev/null
fi
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/urandom/random-seed
rm -rf /var/log/journal/*
# An empty machine-id is filled at the next boot; a missing one makes systemd think of a first boot.
if [ -e /etc/machine-id ]; then : > /etc/machine-id; fi
if [ -f /var/lib/dbus/machine-id ] && [ ! -L /var/lib/dbus/machine-id ]; then rm -f /var/lib/dbus/machine-id; fi
rm -f /var/lib/dhcp/*.leases /var/lib/NetworkManager/*.lease /var/lib/systemd/network/*.lease
for log in /var/log/wtmp /var/log/btmp /var/log/lastlog; do if [ -e "$log" ]; then : > "$log"; fi; done
rm -f /root/.bash_history
# Host keys go only where something makes new ones at the next boot.
if [ -x /usr/bin/cloud-init ]; then
    rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
    rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
    rm -f /var/log/cloud-init.log /var/log/cloud-init-output.log
elif [ -e /usr/lib/packerpy ] || [ -e /etc/packerpy ]; then
    rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
fi
# The keys of this build, and of those whose saved disks it went on from, let nobody in any more.
for keys in /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; do
    if [ -f "$keys" ] && grep -q ' packerpy-[0-9a-f]\{12\}$' "$keys"; then
        sed -i '/ packerpy-[0-9a-f]\{12\}$/d' "$keys"
        [ -s "$keys" ] || rm -f "$keys"
    fi
done
if command -v fstrim >/dev/null 2>&1; then fstrim --all --quiet-unsupported 2>/dev/null; fi
sync
exit 0
"""


def generalize(channel: Communicator) -> None:
    """Do it, as root.

    :raises SourceError: the guest has no shell that runs the script, or the user may not become root.
    """
    done = channel.run(Command(line="/bin/sh -s", stdin=SCRIPT.encode(), sudo=True, timeout=300))
    if not done.ok:
        raise SourceError(
            f"the machine could not be generalized: exit code {done.exit_status}",
            details=(done.stdout + done.stderr).strip() or None,
            resolution="let the user become root without a password, or declare generalize=False",
        )
