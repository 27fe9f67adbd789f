#!/bin/sh
# A throw-away PostgreSQL primary with a streaming standby, for one test. Fast and not durable: never keep anything in it.
# They are set up by the scripts that set up those of compose.yaml: docker/primary.sh and docker/standby.sh.
#
#   scripts/test-standby.sh run    makes and starts both, prints the primary's address and the standby's, one a line, and
#                                  then does what it is told on its input, one word a line, answering each with "done":
#                                    stop-standby     the standby ends at once, as in a power cut
#                                    start-standby    it comes back
#                                  At the end of its input it stops both and removes them.
#   scripts/test-standby.sh run PRIMARY_PORT STANDBY_PORT [OPTION of the primary …]
#                                  the same on these ports of 127.0.0.1, where they ask for passwords as they do in
#                                  their containers (DATABASE_PASSWORD and REPLICATION_PASSWORD, if stated); the addresses
#                                  are those of the registry's own user
#
# Without ports they listen on sockets in a directory of their own, so any number of them may run at once.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
# Within the directory of the socket a port is only a name.
primary_port=${2:-5432}
standby_port=${3:-5433}
database_password=${DATABASE_PASSWORD:-only-for-tests}
replication_password=${REPLICATION_PASSWORD:-only-for-tests}

fail() {
    echo "test-standby: $*" >&2
    exit 1
}

[ "${1:-}" = run ] && [ $# -ne 2 ] || fail "usage: scripts/test-standby.sh run [PRIMARY_PORT STANDBY_PORT [OPTION …]]"
shift
by_tcp=
if [ $# -gt 0 ]; then
    by_tcp=1
    shift 2
fi

bin=$("$root/scripts/postgres-bin.sh")

# Not in TMPDIR: the path of a socket has at most 107 characters.
dir=$(mktemp -d /tmp/granary-standby-XXXXXX)
primary=$dir/primary
standby=$dir/standby
log=$dir/log
host=$dir
[ -z "$by_tcp" ] || host=127.0.0.1

# PostgreSQL refuses to run as root, and must not hold the pipes of the test.
as_owner() {
    if [ "$(id -u)" -ne 0 ]; then
        (cd / && exec env PATH="$bin:$PATH" "$@") </dev/null >>"$log" 2>&1
    elif command -v runuser >/dev/null 2>&1; then
        (cd / && exec runuser -u postgres -- env PATH="$bin:$PATH" "$@") </dev/null >>"$log" 2>&1
    else
        (cd / && exec su postgres -s /bin/sh -c 'exec "$@"' -- sh env PATH="$bin:$PATH" "$@") </dev/null >>"$log" 2>&1
    fi
}

clean_up() {
    for data in "$standby" "$primary"; do
        [ ! -f "$data/postmaster.pid" ] || as_owner pg_ctl -D "$data" -m immediate -w stop || true
    done
    wait
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

or_log() {
    "$@" || { cat "$log" >&2 && fail "this failed: $*"; }
}

make_primary() {
    or_log as_owner initdb -D "$primary" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
    settings=$(mktemp)
    cat >"$settings" <<SETTINGS
listen_addresses = '${by_tcp:+127.0.0.1}'
unix_socket_directories = '$dir'
max_connections = 50
shared_buffers = 32MB
fsync = off
full_page_writes = off
synchronous_commit = on
max_wal_senders = 4
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
timezone = 'UTC'
SETTINGS
    chmod 644 "$settings"
    or_log as_owner cp "$settings" "$primary/granary.conf"
    rm -f "$settings"
    or_log as_owner sh -c "echo \"include 'granary.conf'\" >>'$primary/postgresql.conf'"
    if [ -n "$by_tcp" ]; then
        # Who may connect from elsewhere in the image of PostgreSQL: by password, and nobody to replicate.
        or_log as_owner sed -i '/^host/d' "$primary/pg_hba.conf"
        or_log as_owner sh -c "echo 'host all all all scram-sha-256' >>'$primary/pg_hba.conf'"
    fi
    for option in "$@"; do
        # What pg_ctl hands to a shell.
        options="${options:-} '$option'"
    done
    or_log as_owner pg_ctl -D "$primary" -w -t 60 -l "$primary/server.log" -o "-p $primary_port${options:-}" start
    or_log as_owner env POSTGRES_USER=postgres PGHOST="$dir" PGPORT="$primary_port" PGDATA="$primary" \
        DATABASE_PASSWORD="$database_password" REPLICATION_PASSWORD="$replication_password" "$dir/primary.sh"
}

start_standby() {
    as_owner env PGDATA="$standby" PRIMARY_HOST="$host" PRIMARY_PORT="$primary_port" REPLICATION_PASSWORD="$replication_password" \
        "$dir/standby.sh" -p "$standby_port" &
    process=$!
    until as_owner pg_isready -q -h "$dir" -p "$standby_port"; do
        kill -0 "$process" 2>/dev/null || or_log false
        sleep 0.1
    done
}

url() {
    if [ -n "$by_tcp" ]; then
        echo "postgres://granary:$database_password@127.0.0.1:$1/granary"
    else
        echo "postgres://postgres@$(echo "$dir" | sed 's|/|%2F|g'):$1/postgres"
    fi
}

# The owner of the servers may not be allowed into the repository.
cp "$root/docker/primary.sh" "$root/docker/standby.sh" "$dir"
: >"$log"
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$dir"
fi

make_primary "$@"
start_standby
url "$primary_port"
url "$standby_port"

while read -r word; do
    case $word in
        stop-standby) or_log as_owner pg_ctl -D "$standby" -m immediate -w stop ;;
        start-standby) start_standby ;;
        *) fail "unknown: $word" ;;
    esac
    echo "done"
done
