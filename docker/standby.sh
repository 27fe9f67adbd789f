#!/bin/sh
# Runs a streaming standby: copies the primary if there is no copy yet, then follows it. The container of the standby
# runs it as its one program; the tests run it against a PostgreSQL of their own.
#
#   docker/standby.sh [OPTION OF postgres …]
#
# From the environment: PGDATA, PRIMARY_HOST, PRIMARY_PORT, REPLICATION_PASSWORD. The copy appears in PGDATA when it is
# complete, so that one that was interrupted is begun anew, and one that is there (a promoted one, too) is never touched.
set -eu

: "${PGDATA:?}" "${PRIMARY_HOST:?}" "${PRIMARY_PORT:?}" "${REPLICATION_PASSWORD:?}"

# Both the copy and the server that follows read it from here, so that it stands in no file and on no command line.
export PGPASSWORD="$REPLICATION_PASSWORD"

if [ ! -e "$PGDATA" ]; then
    echo "standby: copying $PRIMARY_HOST:$PRIMARY_PORT" >&2
    copy=$PGDATA.incomplete
    rm -rf "$copy"
    pg_basebackup -h "$PRIMARY_HOST" -p "$PRIMARY_PORT" -U replicator -w -D "$copy" -X stream -S standby -c fast
    touch "$copy/standby.signal"
    mv "$copy" "$PGDATA"
fi

# Long reads here are not cut off by what the primary cleans up in the meantime.
exec postgres -D "$PGDATA" \
    -c "primary_conninfo=host='$PRIMARY_HOST' port='$PRIMARY_PORT' user=replicator application_name=standby" \
    -c primary_slot_name=standby \
    -c hot_standby=on \
    -c hot_standby_feedback=on \
    "$@"
