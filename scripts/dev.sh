#!/usr/bin/env bash
# `make dev`: the registry with a PostgreSQL primary and a standby in containers where a container engine answers, else
# the debug build on SQLite. NATIVE=1 takes the second even if there is an engine.
#
#   scripts/dev.sh          runs it
#   scripts/dev.sh which    says which of them it would be: containers or native
set -euo pipefail
cd "$(dirname "$0")/.."

ENGINE_SECONDS_MAX=10

# The command of compose, one word a line; nothing if it or the engine behind it is not there.
compose() {
    [ "${NATIVE:-}" != 1 ] || return 0
    timeout "$ENGINE_SECONDS_MAX" docker info >/dev/null 2>&1 || return 0
    if docker compose version >/dev/null 2>&1; then
        printf 'docker\ncompose\n'
    elif docker-compose version >/dev/null 2>&1; then
        echo docker-compose
    fi
}

mapfile -t compose < <(compose)

if [ "${1:-}" = which ]; then
    [ "${#compose[@]}" -gt 0 ] && echo containers || echo native
    exit
fi

scripts/make-env.sh
if [ "${#compose[@]}" -gt 0 ]; then
    echo "dev: a container engine answers: building the image and starting compose.yaml (NATIVE=1 make dev does without)"
    exec "${compose[@]}" up --build
fi
echo "dev: no container engine with compose answers (or NATIVE=1): the debug build runs, on the database of .env"
exec cargo run -q -p granary -- serve
