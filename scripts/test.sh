#!/usr/bin/env bash
# Runs every test on SQLite and PostgreSQL: the Rust tests, the examples in the documentation, then schemathesis.
# A stage that fails does not keep the next ones from running; the exit status says whether all of them passed.
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=()

stage() {
    local name=$1
    shift
    echo "== $name"
    if "$@"; then
        passed=$((passed + 1))
    else
        failed+=("$name")
    fi
}

stop_postgres() {
    [ -n "${KEEP_PG:-}" ] || scripts/test-postgres.sh stop
}

rust_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace
    else
        cargo test --workspace --lib --bins --tests
    fi
}

scripts/setup-tests.sh
if [ -z "${TEST_POSTGRES_URL:-}" ]; then
    # One that runs already is somebody's: it is used and left alone.
    scripts/test-postgres.sh url >/dev/null 2>&1 || trap stop_postgres EXIT
    scripts/test-postgres.sh start
    TEST_POSTGRES_URL=$(scripts/test-postgres.sh url)
    export TEST_POSTGRES_URL
fi

stage "Rust tests" rust_tests
stage "documentation tests" cargo test --workspace --doc --quiet
stage "migrations" scripts/test-migrations.sh
stage "schemathesis" scripts/schemathesis.sh

for name in "${failed[@]}"; do
    echo "failed: $name"
done
echo "stages: $passed passed, ${#failed[@]} failed"
[ "${#failed[@]}" -eq 0 ]
