#!/usr/bin/env bash
# Makes .env from .env.example if there is none, and makes up the secrets of compose.yaml that it does not state yet.
# Nothing that is stated is changed. Only its owner may read it.
#
#   scripts/make-env.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."

file=${1:-.env}
umask 077

if [ ! -e "$file" ]; then
    cp .env.example "$file"
    echo "made $file from .env.example" >&2
fi
for name in SUPERUSER_PASSWORD DATABASE_PASSWORD REPLICATION_PASSWORD; do
    ! grep -qE "^[[:space:]]*(export[[:space:]]+)?$name[[:space:]]*=[[:space:]]*[^[:space:]]" "$file" || continue
    # Letters and digits only: it is part of an address, too.
    secret=$(od -An -v -N 24 -tx1 /dev/urandom | tr -d ' \n')
    if grep -qE "^$name=" "$file"; then
        sed -i -E "s/^$name=.*/$name=$secret/" "$file"
    else
        printf '%s=%s\n' "$name" "$secret" >>"$file"
    fi
    echo "made up $name in $file" >&2
done
chmod go= "$file"
