#!/bin/sh
# Gathers everything that the image of the registry holds into a folder: the program, the certificates that it trusts (TLS
# to PostgreSQL) and the time zones that readings may be in. No library, no shell and no other program. The tests run the
# program in such a folder, too.
#
#   docker/rootfs.sh PROGRAM FOLDER
set -eu

fail() {
    echo "rootfs: $*" >&2
    exit 1
}

[ $# -eq 2 ] || fail "usage: docker/rootfs.sh PROGRAM FOLDER"
program=$1
root=$2
certificates=/etc/ssl/certs/ca-certificates.crt
zones=/usr/share/zoneinfo

[ -x "$program" ] || fail "$program is not a program"
case $(ldd "$program" 2>&1) in *.so*) fail "$program needs libraries that are not in it; see docker/build.sh" ;; esac
[ -s "$certificates" ] || fail "$certificates is not there; install ca-certificates"
[ -e "$zones/Europe/London" ] || fail "$zones has no time zones; install tzdata"

mkdir -p "$root/etc/ssl/certs" "$root/usr/share"
cp "$program" "$root/granary"
cp -L "$certificates" "$root$certificates"
cp -R "$zones" "$root$zones"

# Names of other machines, such as those of compose.yaml.
echo "hosts: files dns" >"$root/etc/nsswitch.conf"

chmod -R a+rX "$root"
