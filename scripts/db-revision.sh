#!/usr/bin/env bash
# Makes the next migration: a pair of files of the same name, one for each database.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=crates/store/migrations
name=${1:-}

if [[ ! $name =~ ^[a-z][a-z0-9_]{2,59}$ ]]; then
    echo "usage: make db.revision NAME=add_something" >&2
    echo "NAME has 3 to 60 of a-z, 0-9 and _, and begins with a letter; it was '$name'" >&2
    exit 1
fi

last=0
for file in "$folder"/{sqlite,postgres}/V*__*.sql; do
    [ -e "$file" ] || continue
    base=${file##*/}
    if [[ ! $base =~ ^V([0-9]+)__(.+)\.sql$ ]]; then
        echo "$file is not named V<number>__<name>.sql" >&2
        exit 1
    fi
    if [ "${BASH_REMATCH[2]}" = "$name" ]; then
        echo "there is a migration of that name: $file" >&2
        exit 1
    fi
    number=$((10#${BASH_REMATCH[1]}))
    [ "$number" -le "$last" ] || last=$number
done

for engine in sqlite postgres; do
    file=$folder/$engine/V$((last + 1))__$name.sql
    mkdir -p "$folder/$engine"
    printf -- '-- What this changes, and why.\n' >"$file"
    echo "$file"
done
