#!/usr/bin/env bash
# Both databases have the same migrations, numbered from 1 without gaps, and a released one is never edited.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=crates/store/migrations
broken=0

complain() {
    echo "migrations: $*" >&2
    broken=1
}

names() {
    find "$folder/$1" -mindepth 1 -printf '%f\n' | sort -V
}

if ! diff <(names sqlite) <(names postgres); then
    complain "the files of $folder/sqlite (<) and $folder/postgres (>) differ in their names"
fi

expected=1
for name in $(names sqlite); do
    if [[ ! $name =~ ^V([0-9]+)__[a-z][a-z0-9_]*\.sql$ ]]; then
        complain "$name is not named V<number>__<name>.sql"
    elif [ "${BASH_REMATCH[1]}" != "$expected" ]; then
        complain "$name should have the number $expected"
    fi
    expected=$((expected + 1))
done
[ "$expected" -gt 1 ] || complain "none found in $folder"

# Not every copy of the repository has its tags: then there is nothing to compare with.
released=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if [ -n "$released" ]; then
    edited=$(git diff --name-only --diff-filter=a "$released" -- "$folder")
    [ -z "$edited" ] || complain "edited since $released, write a new one instead: ${edited//$'\n'/ }"
fi

exit "$broken"
