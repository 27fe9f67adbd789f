#!/bin/sh
# A throw-away PostgreSQL primary with a streaming standby, for one test. Fast and not durable: never keep anything in it.
#
#   scripts/test-standby.sh run    makes and starts both, prints the primary's address and the standby's, one a line, and
#                                  then does what it is told on its input, one word a line, answering each with "done":
#                                    stop-standby     the standby ends at once, as in a power cut
#                                    start-standby    it comes back
#                                  At the end of its input it stops both and removes them.
#
# They listen on sockets in a directory of their own, so no port is taken and any number of them may run at once.
set -eu

version_min=15
# Only a name within the directory of the socket: no port is opened.
primary_port=5432
standby_port=5433

fail() {
    echo "test-standby: $*" >&2
    exit 1
}

[ "${1:-}" = run ] || fail "usage: scripts/test-standby.sh run"

# The newest installed version; Debian and Ubuntu keep the server's programs out of PATH.
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
[ -n "$bin" ] || fail "no PostgreSQL server found; install postgresql-$version_min or newer"
[ "$version" -ge "$version_min" ] || fail "PostgreSQL $version is too old, $version_min or newer is needed"

# Not in TMPDIR: the path of a socket has at most 107 characters.
dir=$(mktemp -d /tmp/granary-standby-XXXXXX)
primary=$dir/primary
standby=$dir/standby
log=$dir/log

# PostgreSQL refuses to run as root, and must not hold the pipes of the test.
as_owner() {
    if [ "$(id -u)" -ne 0 ]; then
        (cd / && "$@") </dev/null >>"$log" 2>&1
    elif command -v runuser >/dev/null 2>&1; then
        (cd / && runuser -u postgres -- "$@") </dev/null >>"$log" 2>&1
    else
        (cd / && su postgres -s /bin/sh -c 'exec "$@"' -- sh "$@") </dev/null >>"$log" 2>&1
    fi
}

clean_up() {
    for data in "$standby" "$primary"; do
        [ ! -f "$data/postmaster.pid" ] || as_owner "$bin/pg_ctl" -D "$data" -m immediate -w stop || true
    done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

or_log() {
    "$@" || { cat "$log" >&2 && fail "this failed: $*"; }
}

start() {
    or_log as_owner "$bin/pg_ctl" -D "$1" -w -t 60 -l "$1/server.log" -o "-p $2" start
}

url() {
    echo "postgres://postgres@$(echo "$dir" | sed 's|/|%2F|g'):$1/postgres"
}

: >"$log"
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$dir"
fi

or_log as_owner "$bin/initdb" -D "$primary" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
settings=$(mktemp)
cat >"$settings" <<SETTINGS
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 50
shared_buffers = 32MB
fsync = off
full_page_writes = off
synchronous_commit = on
wal_level = replica
max_wal_senders = 4
hot_standby = on
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
timezone = 'UTC'
SETTINGS
chmod 644 "$settings"
or_log as_owner cp "$settings" "$primary/granary.conf"
rm -f "$settings"
or_log as_owner sh -c "echo \"include 'granary.conf'\" >>'$primary/postgresql.conf'"
start "$primary" "$primary_port"
or_log as_owner "$bin/pg_basebackup" -h "$dir" -p "$primary_port" -U postgres -D "$standby" -R -X stream -c fast --no-sync
start "$standby" "$standby_port"
url "$primary_port"
url "$standby_port"

while read -r word; do
    case $word in
        stop-standby) or_log as_owner "$bin/pg_ctl" -D "$standby" -m immediate -w stop ;;
        start-standby) start "$standby" "$standby_port" ;;
        *) fail "unknown: $word" ;;
    esac
    echo "done"
done
