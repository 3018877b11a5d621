# What both commands need: read by `. tools/setup.sh` in a POSIX shell, from the root of the checkout.
#
# Everything is done once: what is there already is left alone, and while nothing has changed nobody is asked.

VENV=.venv
PYTHON="$VENV/bin/python"

# In a plain chroot no program gets mounts of its own, since the root folder is no mount point: so it is made one first.
if [ -z "${OWN_MOUNTS:-}" ] && [ "$(id -u)" -eq 0 ] && [ -r /proc/self/mountinfo ] && command -v python3 >/dev/null 2>&1 &&
    ! cut -d " " -f 5 /proc/self/mountinfo | grep -qx /; then
    exec python3 tools/own_mounts.py sh "./${0##*/}" "$@"
fi

# state FILE…: what all that follows depends on, as one line.
state() {
    printf '%s %s %s\n' "$(cat pyproject.toml tools/setup.sh tools/constraints.txt "$@" | cksum)" "$(pwd -P)" \
        "$(stat --format=%y /var/lib/dpkg/status 2>/dev/null)"
}

# done_before NAME FILE…: whether everything under that name was there the last time, and nothing has changed since.
done_before() {
    name=$1 && shift
    [ -x "$PYTHON" ] && [ "$(cat "$VENV/done-$name" 2>/dev/null)" = "$(state "$@")" ]
}

# all_done NAME FILE…: remember that everything is there.
all_done() {
    name=$1 && shift
    state "$@" >"$VENV/done-$name"
}

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 3
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "this needs root, and there is no sudo; as root, run: $*"
    fi
}

# install_packages PACKAGE…: those of them that dpkg does not know as installed.
install_packages() {
    missing=
    for package in "$@"; do
        dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || fail "this is not a Debian system; install by other means:$missing"
    say "installing system packages:$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update --quiet --quiet
    # Nobody asked for the services in these packages, so they are not started; see invoke-rc.d(8).
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then policy=; else
        printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat >$policy && chmod 755 $policy"
    fi
    installed=0
    # shellcheck disable=SC2086  # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends \
        -o Dpkg::Use-Pty=0 $missing || installed=$?
    [ -z "$policy" ] || as_root rm -f "$policy"
    [ "$installed" -eq 0 ] || fail "apt-get could not install:$missing"
}

# A virtual environment needs Python's own parts venv and ensurepip, which Debian keeps in a package of their own.
make_venv() {
    command -v python3 >/dev/null 2>&1 || install_packages python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed"
    [ -x "$PYTHON" ] && "$PYTHON" -c 'import pip' 2>/dev/null && return 0
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
    say "making the virtual environment $VENV"
    python3 -m venv --clear "$VENV"
}

# install_python EXTRAS: packerpy from this checkout with some extras, such as `[test]`, or none; in the versions that
# the tests were run with, for what was released since may be anything.
install_python() {
    wanted="$(cat pyproject.toml tools/constraints.txt | cksum) $(pwd -P) $("$PYTHON" -V) $1"
    stamp="$VENV/installed$(printf %s "$1" | tr -c 'a-z\n' '-')"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
    say "installing packerpy${1:+ with its extras $1} into $VENV"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --constraint tools/constraints.txt --editable ".$1"
    printf '%s\n' "$wanted" >"$stamp"
}

# host_tools [FILE]: the programs that packerpy calls; packerpy itself knows which (for FILE's images only, if given).
host_tools() {
    "$VENV/bin/packerpy" doctor "$@" >/dev/null 2>&1 && return 0
    say "installing the programs that packerpy calls"
    "$VENV/bin/packerpy" doctor --install "$@" >&2
}
