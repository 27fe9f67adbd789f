#!/usr/bin/env bash
# openapi.json is made from the code. `check` compares the committed file with what the code says, `write` writes it.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "${1:-}" = check ] || [ "${1:-}" = write ] || { echo "usage: openapi.sh check|write" >&2; exit 2; }

granary=$(scripts/build-debug.sh)
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$granary" openapi >"$made"
[ -s "$made" ] || { echo "openapi: granary openapi printed nothing" >&2; exit 1; }

if [ "$1" = write ]; then
    cat "$made" >openapi.json
elif ! diff -u openapi.json "$made" | head -n 100; then
    echo "openapi: openapi.json is not what the code says; run 'make openapi' and look at the difference" >&2
    exit 1
fi
