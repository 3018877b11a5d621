# Run by the host's shell as process 1 of fresh namespaces: $1 is the tree, $2 the folder that is its /run, the rest a
# command. All mounts belong to these namespaces and vanish with them. The shell stays outside of the tree, as
# process 1, so that programs inside can tell that they are in a chroot and leave services alone.
set -eu
umask 022
root=$1
runtime=$2
shift 2

mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -o remount,bind,ro "$root/sys" 2>/dev/null || :
if [ "${PACKERPY_DEVICES:-}" = host ]; then
    mount --rbind /dev "$root/dev"
else
    mount -t tmpfs -o mode=755,size=4m tmpfs "$root/dev"
    for node in null zero full random urandom tty; do
        : > "$root/dev/$node"
        mount --bind "/dev/$node" "$root/dev/$node"
    done
    mkdir -m 755 "$root/dev/pts"
    mkdir -m 1777 "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts" 2>/dev/null || :
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s /proc/self/fd/0 "$root/dev/stdin"
    ln -s /proc/self/fd/1 "$root/dev/stdout"
    ln -s /proc/self/fd/2 "$root/dev/stderr"
fi
mount --bind "$runtime" "$root/run"

if [ -s "$root/etc/hostname" ]; then
    read -r name < "$root/etc/hostname" || :
    echo "$name" > /proc/sys/kernel/hostname || :
fi

# Names are looked up as on the host; a link is taken to point into /run, where it has been served already.
if [ -f "$root/etc/resolv.conf" ] && [ ! -L "$root/etc/resolv.conf" ] && [ -f /etc/resolv.conf ]; then
    mount --bind /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || :
fi

# From here on the environment is the command's own.
chroot=$(command -v chroot)
PATH=$PACKERPY_PATH
unset PACKERPY_PATH PACKERPY_DEVICES
set +e
"$chroot" "$root" "$@"
exit $?
