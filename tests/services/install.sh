#!/bin/sh
# Installs the servers of the test-suite, its browser, Node.js and valgrind where
# that can be done without asking: as root on Debian and its children. Anywhere
# else it does nothing, and the runner says what it had to do without.
set -eu

packages=
need() { # need PACKAGE COMMAND...
    package=$1
    shift
    for command in "$@"; do
        command -v "$command" >/dev/null 2>&1 && return
    done
    packages="$packages $package"
}

PATH=$PATH:/usr/sbin:/sbin
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgresql postgres
need pgbouncer pgbouncer
need mariadb-server mariadbd
need redis-server redis-server
need chromium chromium chromium-browser google-chrome chromium-headless-shell
need nodejs node
need npm npm
need gettext msgfmt
need valgrind valgrind

# Quicker than the whole browser. Not every distribution has it, so it is asked for by itself.
wanted=
command -v chromium-headless-shell >/dev/null 2>&1 || wanted=chromium-headless-shell

[ -n "$packages$wanted" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    exit 0
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=
leave() {
    [ -z "$made_policy" ] || rm -f "$policy"
    rm -f "$log"
}
trap leave EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# The suite runs private servers; those of the packages should not be started.
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made_policy=yes
fi

export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086 # a list
    apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 $1
}
echo "Installing:$packages $wanted"
# An old list may do where a mirror is out of reach.
apt-get update -q </dev/null >"$log" 2>&1 || true
[ -z "$wanted" ] || install "$wanted" </dev/null >>"$log" 2>&1 || true
if [ -n "$packages" ] && ! install "$packages" </dev/null >>"$log" 2>&1; then
    tail -n 15 "$log"
    echo "Some of these could not be installed:$packages"
fi
