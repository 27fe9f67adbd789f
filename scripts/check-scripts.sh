#!/usr/bin/env bash
# Every script parses, says how it is run, and may be run.
set -euo pipefail
cd "$(dirname "$0")/.."

broken=0
for script in scripts/*.sh docker/*.sh .ci/run; do
    case $(head -n 1 "$script") in
    '#!/usr/bin/env bash') bash -n "$script" || broken=1 ;;
    '#!/bin/sh') sh -n "$script" || broken=1 ;;
    *) echo "$script: does not begin with its interpreter" >&2 && broken=1 ;;
    esac
    [ -x "$script" ] || { echo "$script: is not executable" >&2; broken=1; }
done
python3 - scripts/*.py <<'PYTHON' || broken=1
import ast, sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as source:
        ast.parse(source.read(), path)
PYTHON
exit "$broken"
