#!/usr/bin/env bash
# Builds the programs and the tests for debugging and prints the path of `granary`.
# Both in one go, so that a dependency is built once: building the program alone would choose other features for some.
# GRANARY_BIN names a program that is built already; then nothing is built.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${GRANARY_BIN:-}" ]; then
    realpath -- "$GRANARY_BIN"
    exit
fi
cargo build --workspace --bins --tests >&2
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
echo "$target/debug/granary"
