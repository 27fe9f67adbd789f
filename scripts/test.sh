#!/usr/bin/env bash
# Runs every test on SQLite and PostgreSQL: the Rust tests and the examples in the documentation first, then the built
# program with the files that go with it, and what others run against it.
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

containers() {
    local granary
    granary=$(docker/build.sh) && .venv/bin/python scripts/test_containers.py "$granary"
}

# On a demonstration of a few days, whose credentials are the notebook's defaults.
notebook() {
    SERVE="demo --days 3" scripts/with-server.sh .venv/bin/python scripts/notebook.py run
}

# On a demonstration, whose users are of every role.
browser() {
    SERVE="demo --days 20" scripts/with-server.sh .venv/bin/python scripts/test_browser.py
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
stage "containers" containers
stage "notebook" notebook
stage "browser" browser
stage "Python client" scripts/with-server.sh .venv/bin/python scripts/test_python_client.py
stage "schemathesis" scripts/schemathesis.sh

for name in "${failed[@]}"; do
    echo "failed: $name"
done
echo "stages: $passed passed, ${#failed[@]} failed"
[ "${#failed[@]}" -eq 0 ]
