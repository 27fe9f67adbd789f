#!/usr/bin/env bash
# Starts the debug build on a small SQLite database and lets schemathesis send it requests made from its own
# /openapi.json. Fails if an answer is not one that the document promises. The server is stopped whatever happens.
#
# Requests are bounded in number and the seed is fixed; SEED and MAX_EXAMPLES choose others.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

SEED=${SEED:-1}
MAX_EXAMPLES=${MAX_EXAMPLES:-40}
RUN_SECONDS_MAX=900
REQUEST_SECONDS_MAX=20

CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
CHECKS+=,response_schema_conformance,ignored_auth,unsupported_method,allow_header_conformance
CHECKS+=,missing_required_header
# Two checks do not fit the contract. negative_data_rejection: 0 and 1 are read as booleans and "3" as a number, on purpose.
# positive_data_acceptance: a well-formed request may break a rule between its members (422) or of the ledger (400).

# Not called: what ends the run's own session, and the stream that never ends.
EXCLUDED_PATHS='^/(auth/(logout|change_password)|event/stream)/?$'

export ADMIN_EMAIL=admin@example.org ADMIN_PASSWORD='schemathesis-Run-1'

[ -x .venv/bin/schemathesis ] || { echo "schemathesis: not installed, run scripts/setup-tests.sh" >&2; exit 1; }
granary=$(scripts/build-debug.sh)
scratch=$(mktemp -d)
server=

clean_up() {
    local status=$?
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ]; then
        echo "schemathesis: failed; the last lines of the server's log:" >&2
        tail -n 40 "$scratch/server.log" >&2 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT

client() {
    python3 "$root/scripts/schemathesis_client.py" "$@"
}

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
port=$(client free-port)
base=http://127.0.0.1:$port

# In an empty folder, so that no .env is read.
(
    cd "$scratch"
    unset DATABASE_READ_URL
    LISTEN=127.0.0.1:$port DATABASE_URL=sqlite://$scratch/granary.db exec "$granary" serve
) >"$scratch/server.log" 2>&1 &
server=$!

client wait-ready "$base" "$server"
token=$(client fill "$base" "$(client sign-in "$base")")
OWN_USER_ID=$(client whoami "$base" "$token")

# The hooks keep the run from changing the user it acts as. Schemathesis leaves its files where it is started.
export OWN_USER_ID SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=$root/scripts PYTHONDONTWRITEBYTECODE=1
cd "$scratch"
timeout --kill-after=10 "$RUN_SECONDS_MAX" "$root/.venv/bin/schemathesis" run "$base/openapi.json" \
    --header "Authorization: Bearer $token" \
    --phases examples,coverage,fuzzing \
    --checks "$CHECKS" \
    --exclude-path-regex "$EXCLUDED_PATHS" \
    --max-examples "$MAX_EXAMPLES" \
    --seed "$SEED" \
    --generation-database none \
    --request-timeout "$REQUEST_SECONDS_MAX" \
    --suppress-health-check all \
    --continue-on-failure \
    --no-color \
    </dev/null

# Without its token the run would have tested nothing but refusals.
[ "$(client whoami "$base" "$token")" = "$OWN_USER_ID" ]
kill -0 "$server"
