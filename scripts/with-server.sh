#!/usr/bin/env bash
# Starts the debug build on a SQLite database of its own, runs a command beside it, and stops it whatever happens. Fails if
# the command does, or if the server has not lived through it.
#
#   scripts/with-server.sh COMMAND [ARGUMENT …]
#
# The command finds the server's address in BASE, its process in SERVER, its first administrator in ADMIN_EMAIL and
# ADMIN_PASSWORD, and an empty folder of its own in SCRATCH. SERVE is what the program is told: "serve", on an empty
# registry, unless it is set.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

export ADMIN_EMAIL=admin@example.org ADMIN_PASSWORD='only-For-tests-1'
# The server is on this machine: a proxy of the environment must not be asked.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

read -r -a serve <<<"${SERVE:-serve}"
granary=$("$root/scripts/build-debug.sh")
place=$(mktemp -d)
server=

clean_up() {
    local status=$?
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ]; then
        echo "with-server: failed; the last lines of the server's log:" >&2
        tail -n 40 "$place/server.log" >&2 2>/dev/null || true
    fi
    rm -rf "$place"
}
trap clean_up EXIT

port=$(python3 "$root/scripts/server_client.py" free-port)
mkdir "$place/server" "$place/scratch"
# In an empty folder, so that no .env is read.
(
    cd "$place/server"
    unset DATABASE_READ_URL
    LISTEN=127.0.0.1:$port DATABASE_URL=sqlite://granary.db exec "$granary" "${serve[@]}"
) >"$place/server.log" 2>&1 &
server=$!

export BASE=http://127.0.0.1:$port SERVER=$server SCRATCH=$place/scratch
python3 "$root/scripts/server_client.py" wait-ready "$BASE" "$server"
"$@"
kill -0 "$server"
