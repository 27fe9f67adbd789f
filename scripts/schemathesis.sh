#!/usr/bin/env bash
# Lets schemathesis send the server requests made from its own /openapi.json: as a user with every role, and then as one
# user for each role, who is refused most of it. Fails if an answer is not one that the document promises.
#
#   scripts/schemathesis.sh                  all of them, two at a time, each on a server of its own
#   scripts/schemathesis.sh 'GC Issuer'      one role alone; '' is the user with every role
#
# Requests are bounded in number and the seed is fixed; SEED and MAX_EXAMPLES (as every role: ALL_ROLES_MAX_EXAMPLES)
# choose others.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

SEED=${SEED:-1}
ALL_ROLES_MAX_EXAMPLES=${ALL_ROLES_MAX_EXAMPLES:-${MAX_EXAMPLES:-20}}
MAX_EXAMPLES=${MAX_EXAMPLES:-5}
RUNS_AT_ONCE=2
RUN_SECONDS_MAX=600
REQUEST_SECONDS_MAX=20

CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
CHECKS+=,response_schema_conformance,ignored_auth,unsupported_method,allow_header_conformance
CHECKS+=,missing_required_header
# Two checks do not fit the contract. negative_data_rejection: 0 and 1 are read as booleans and "3" as a number, on purpose.
# positive_data_acceptance: a well-formed request may break a rule between its members (422) or of the ledger (400).

# Not called: what ends the run's own session, and the stream that never ends.
EXCLUDED_PATHS='^/(auth/(logout|change_password)|event/stream)/?$'

client() {
    python3 "$root/scripts/server_client.py" "$@"
}

# Beside a server of its own: with-server.sh says where.
one_run() {
    local role=$1 token phases=examples,fuzzing examples=$MAX_EXAMPLES
    # Every value that the document allows or forbids is tried once; who may not do it is not asked all of it again.
    if [ -z "$role" ]; then
        phases=examples,coverage,fuzzing examples=$ALL_ROLES_MAX_EXAMPLES
    fi
    token=$(client fill "$BASE" "$(client sign-in "$BASE")" "$role")
    OWN_USER_ID=$(client whoami "$BASE" "$token")
    # The hooks keep the run from changing the user it acts as. Schemathesis leaves its files where it is started.
    export OWN_USER_ID SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=$root/scripts PYTHONDONTWRITEBYTECODE=1
    cd "$SCRATCH"
    timeout --kill-after=10 "$RUN_SECONDS_MAX" "$root/.venv/bin/schemathesis" run "$BASE/openapi.json" \
        --header "Authorization: Bearer $token" \
        --phases "$phases" \
        --checks "$CHECKS" \
        --exclude-path-regex "$EXCLUDED_PATHS" \
        --max-examples "$examples" \
        --seed "$SEED" \
        --generation-database none \
        --request-timeout "$REQUEST_SECONDS_MAX" \
        --suppress-health-check all \
        --continue-on-failure \
        --no-color \
        </dev/null
    # Without its token the run would have tested nothing but refusals.
    [ "$(client whoami "$BASE" "$token")" = "$OWN_USER_ID" ]
}

# A run with a server around it. What it says is shown at once, so that two do not mix.
run() {
    local status=0 said started=$SECONDS
    said=$(scripts/with-server.sh "$0" beside-server "$1" 2>&1) || status=$?
    printf '%s\n' "-- as ${1:-every role}: $((SECONDS - started)) s" \
        "$(if [ "$status" -eq 0 ]; then sed -n '/^=* SUMMARY/,$p' <<<"$said"; else echo "$said"; fi)"
    return "$status"
}

[ -x .venv/bin/schemathesis ] || { echo "schemathesis: not installed, run scripts/setup-tests.sh" >&2; exit 1; }

case $# in
0)
    GRANARY_BIN=$(scripts/build-debug.sh)
    export GRANARY_BIN
    roles=$(python3 -c 'import json; print(*json.load(open("openapi.json"))["components"]["schemas"]["Role"]["enum"], sep="\n")')
    printf '%s\n' '' "$roles" | tr '\n' '\0' | xargs -0 -n 1 -P "$RUNS_AT_ONCE" "$0"
    ;;
1) run "$1" ;;
2) one_run "$2" ;;
esac
