#!/bin/sh
# Measures the built program on both databases, durable, through the real path, and prints the table of the README.
#
#   scripts/bench.sh           1 million bundles, about 3 minutes after the build
#   FULL=1 scripts/bench.sh    10 million
#   ONLY=sqlite or ONLY=postgres, BUNDLES=n: a part of it
set -eu
cd "$(dirname "$0")/.."

export GRANARY_TEST_PG_DIR="${GRANARY_BENCH_PG_DIR:-/tmp/granary-bench-pg-$(id -u)}"
export GRANARY_TEST_PG_PORT="${GRANARY_BENCH_PG_PORT:-54339}"
export GRANARY_TEST_PG_DURABLE=1

cargo build --release -p granary
GRANARY_BIN="$(pwd)/target/release/granary"
export GRANARY_BIN
if [ "${ONLY:-}" != sqlite ]; then
    scripts/setup-tests.sh
    scripts/test-postgres.sh start
    trap 'scripts/test-postgres.sh stop' EXIT
    TEST_POSTGRES_URL=$(scripts/test-postgres.sh url)
    export TEST_POSTGRES_URL
fi
cargo bench -p testkit --bench ledger
