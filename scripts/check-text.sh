#!/usr/bin/env bash
# No file of the repository names a folder of somebody's machine or the host of a package registry.
# Cargo.lock and vendored files are others' text. Files that git ignores are not looked at.
set -euo pipefail
cd "$(dirname "$0")/.."

# Written so that this file does not contain what it looks for.
patterns=(
    '(^|[^A-Za-z0-9_.~-])/(work|root|home|Users)/'
    'crates[.]io'
    'pypi[.]org|pythonhosted[.]org'
    'registry[.](npmjs|yarnpkg)[.]|npmjs[.]com'
    '(deb|security|ftp)[.]debian[.]org|archive[.]ubuntu[.]com|apt[.]postgresql[.]org'
    'proxy[.]golang[.]org|registry-1[.]docker[.]io|ghcr[.]io'
)
others=(':!Cargo.lock' ':!crates/web/static/redoc/*.js' ':!crates/web/static/redoc/*.txt' ':!crates/ui/static/*.min.*')

found=0
for pattern in "${patterns[@]}"; do
    status=0
    git grep --untracked --line-number -I --extended-regexp -e "$pattern" -- . "${others[@]}" || status=$?
    case $status in
    0) found=1 ;;
    1) ;;
    *) exit "$status" ;;
    esac
done
[ "$found" -eq 0 ] || { echo "text: the lines above name a machine's folder or a registry's host" >&2; exit 1; }
