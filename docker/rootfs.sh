#!/bin/sh
# Gathers everything that the image of the registry holds into a folder: the program, the libraries that it is linked to,
# the certificates that it trusts (TLS to PostgreSQL) and the time zones that readings may be in. No shell and no other
# program. The tests run the program in such a folder, too.
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
[ -s "$certificates" ] || fail "$certificates is not there; install ca-certificates"
[ -e "$zones/Europe/London" ] || fail "$zones has no time zones; install tzdata"

mkdir -p "$root/etc/ssl/certs" "$root/usr/share"
cp "$program" "$root/granary"
cp -L "$certificates" "$root$certificates"
cp -R "$zones" "$root$zones"

# Names of other machines, such as those of compose.yaml.
echo "hosts: files dns" >"$root/etc/nsswitch.conf"

# Each library under the path by which the loader looks for it. The kernel's own has none.
libraries=$(ldd "$program") || fail "ldd cannot tell what $program is linked to"
case $libraries in *"not found"*) fail "$program is linked to what is not here: $libraries" ;; esac
for library in $(echo "$libraries" | grep -oE '(^|[[:space:]])/[^[:space:]]+'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

chmod -R a+rX "$root"
