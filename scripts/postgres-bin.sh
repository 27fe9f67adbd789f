#!/bin/sh
# Prints the folder of the newest PostgreSQL server's programs on this machine: Debian and Ubuntu keep them out of PATH.
# Fails if there is none, or none that is new enough.
set -eu

version_min=15

bin=
version=0
for candidate in /usr/lib/postgresql/*/bin; do
    number=$(basename "$(dirname "$candidate")")
    case $number in *[!0-9]*) continue ;; esac
    if [ -x "$candidate/initdb" ] && [ "$number" -gt "$version" ]; then
        bin=$candidate version=$number
    fi
done
if [ -z "$bin" ] && command -v initdb >/dev/null 2>&1; then
    bin=$(dirname "$(command -v initdb)")
    version=$("$bin/initdb" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
fi
if [ "$version" -lt "$version_min" ]; then
    echo "no PostgreSQL server of version $version_min or newer found; install one" >&2
    exit 1
fi
echo "$bin"
