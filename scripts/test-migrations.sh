#!/usr/bin/env bash
# Runs every migration on an empty SQLite file and, if TEST_POSTGRES_URL is set, on an empty PostgreSQL database,
# twice: the second run must find nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

granary=$(scripts/build-debug.sh)
scratch=$(mktemp -d)
database=granary_migrations_$$
export PGOPTIONS="-c client_min_messages=warning"

clean_up() {
    rm -rf "$scratch"
    [ -z "${TEST_POSTGRES_URL:-}" ] || psql -qX "$TEST_POSTGRES_URL" -c "DROP DATABASE IF EXISTS $database"
}
trap clean_up EXIT

# In an empty folder, so that no .env is read.
migrate() {
    echo "migrations: $1"
    (cd "$scratch" && env -u DATABASE_READ_URL DATABASE_URL="$2" "$granary" migrate)
}

for run in first second; do
    migrate "SQLite, $run run" "sqlite://$scratch/granary.db"
done

if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    psql -qX -v ON_ERROR_STOP=1 "$TEST_POSTGRES_URL" -c "CREATE DATABASE $database"
    [[ $TEST_POSTGRES_URL =~ ^([a-z]+://[^/]*)(/[^?]*)?(\?.*)?$ ]]
    url=${BASH_REMATCH[1]}/$database${BASH_REMATCH[3]:-}
    for run in first second; do
        migrate "PostgreSQL, $run run" "$url"
    done
fi
