#!/usr/bin/env bash
# Drops the development database that DATABASE_URL (or .env) names, with everything in it. Asks first, unless FORCE=1.
# A PostgreSQL database is dropped on this machine only.
set -euo pipefail
cd "$(dirname "$0")/.."

url=${DATABASE_URL:-}
if [ -z "$url" ] && [ -f .env ]; then
    url=$(sed -nE "s/^[[:space:]]*(export[[:space:]]+)?DATABASE_URL[[:space:]]*=[[:space:]]*[\"']?([^\"'[:space:]#]+).*/\2/p" .env | tail -n 1)
fi
url=${url:-sqlite://data/granary.db}
shown=$(sed -E 's#(://[^:/@]+):[^@]*@#\1:…@#' <<<"$url")

confirm() {
    [ "${FORCE:-}" = 1 ] && return
    [ -t 0 ] || { echo "db.reset: asks before it drops $shown; with no terminal, say FORCE=1" >&2; exit 1; }
    local answer
    read -r -p "Drop everything in $shown? Type 'drop': " answer
    [ "$answer" = drop ] || { echo "Nothing was dropped."; exit 1; }
}

case $url in
sqlite://?*)
    file=${url#sqlite://}
    file=${file%%\?*}
    confirm
    rm -f -- "$file" "$file-wal" "$file-shm"
    ;;
postgres://* | postgresql://*)
    if [[ ! $url =~ ^[a-z]+://([^@/]*@)?(localhost|127\.0\.0\.1|\[::1\])?(:[0-9]+)?/[^?]+ ]] || [[ $url == *[?\&]host* ]]; then
        echo "db.reset: $shown is not a database of this machine; drop it by hand if you mean it" >&2
        exit 1
    fi
    confirm
    psql -qX -v ON_ERROR_STOP=1 "$url" -c 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'
    ;;
*)
    echo "db.reset: DATABASE_URL is neither sqlite:// nor postgres://" >&2
    exit 1
    ;;
esac
echo "Dropped $shown. 'make db.update' makes an empty one."
