#!/bin/sh
# A throw-away PostgreSQL cluster for the tests. Fast and not durable: never keep anything in it.
#
#   scripts/test-postgres.sh start    makes the cluster if there is none and starts it if it is not running
#   scripts/test-postgres.sh url      prints its address, for TEST_POSTGRES_URL
#   scripts/test-postgres.sh stop     stops it and removes it
#
# GRANARY_TEST_PG_DIR   where it lives   (default /tmp/granary-test-pg-UID)
# GRANARY_TEST_PG_PORT  its port         (default 54329), on 127.0.0.1; the socket is in the directory
# GRANARY_TEST_PG_DURABLE=1  commits reach the disk, as in production: for measuring
set -eu

uid=$(id -u)
dir=${GRANARY_TEST_PG_DIR:-/tmp/granary-test-pg-$uid}
port=${GRANARY_TEST_PG_PORT:-54329}
data=$dir/data

fail() {
    echo "test-postgres: $*" >&2
    exit 1
}

bin=$("$(dirname "$0")/postgres-bin.sh")
version=$("$bin/initdb" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')

# PostgreSQL refuses to run as root.
as_owner() {
    if [ "$uid" -ne 0 ]; then
        "$@"
    elif command -v runuser >/dev/null 2>&1; then
        runuser -u postgres -- "$@"
    else
        su postgres -s /bin/sh -c 'exec "$@"' -- sh "$@"
    fi
}

running() {
    [ -d "$data" ] && (cd / && as_owner "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1)
}

# What pg_ctl calls running may be another process that was given the number in a stale postmaster.pid, or a zombie.
answers() {
    (cd / && as_owner "$bin/pg_isready" -q -h 127.0.0.1 -p "$1")
}

start() {
    mkdir -p "$dir"
    if [ "$uid" -eq 0 ]; then
        chown postgres "$dir"
    fi
    chmod 700 "$dir"
    # Two starts at once take turns.
    exec 9>"$dir.lock"
    if command -v flock >/dev/null 2>&1; then
        flock 9
    fi
    if running && answers "$(running_port)"; then
        return
    fi
    if [ ! -s "$data/PG_VERSION" ] || [ "$(cat "$data/PG_VERSION")" != "$version" ]; then
        rm -rf "$data"
        (cd / && as_owner "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir.log" 2>&1) ||
            fail "initdb failed, see $dir.log"
        configure
    fi
    if [ "$port" != "$(configured_port)" ]; then
        configure
    fi
    if ! running || ! answers "$(configured_port)"; then
        rm -f "$data/postmaster.pid" "$dir"/.s.PGSQL.*
    fi
    # Without descriptor 9, or the server would hold the lock for as long as it lives.
    (cd / && as_owner "$bin/pg_ctl" -D "$data" -w -t 60 -l "$data/server.log" start >>"$dir.log" 2>&1 9>&-) ||
        fail "the server does not start (is port $port taken? set GRANARY_TEST_PG_PORT); see $data/server.log"
}

configure() {
    settings=$(mktemp)
    durable=off
    buffers=512MB
    if [ "${GRANARY_TEST_PG_DURABLE:-0}" = 1 ]; then
        durable=on
        buffers=2GB
    fi
    cat >"$settings" <<EOF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
max_connections = 300
shared_buffers = $buffers
max_wal_size = 4GB
fsync = $durable
full_page_writes = $durable
synchronous_commit = on
autovacuum_naptime = 10s
timezone = 'UTC'
EOF
    chmod 644 "$settings"
    as_owner cp "$settings" "$data/granary.conf"
    rm -f "$settings"
    as_owner grep -q granary.conf "$data/postgresql.conf" ||
        as_owner sh -c "echo \"include 'granary.conf'\" >>'$data/postgresql.conf'"
}

configured_port() {
    as_owner sed -n 's/^port = //p' "$data/granary.conf" 2>/dev/null || true
}

# Line 4 of the file is the port that the running server listens on.
running_port() {
    as_owner sed -n 4p "$data/postmaster.pid"
}

stop() {
    if running; then
        (cd / && as_owner "$bin/pg_ctl" -D "$data" -m immediate -w stop >/dev/null)
    fi
    rm -rf "$dir" "$dir.log" "$dir.lock"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    url)
        running || fail "not running; call 'scripts/test-postgres.sh start' first"
        echo "postgres://postgres@127.0.0.1:$(running_port)/postgres?sslmode=disable"
        ;;
    *) fail "usage: scripts/test-postgres.sh start|stop|url" ;;
esac
