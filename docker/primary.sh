#!/bin/sh
# Prepares a new primary: the registry's own user and database, a user that may replicate and nothing else, and the slot
# that keeps the log for the standby. The PostgreSQL image runs it once, when it has made an empty database cluster;
# the tests run it against a PostgreSQL of their own.
#
# From the environment: POSTGRES_USER (the superuser), PGDATA, DATABASE_PASSWORD, REPLICATION_PASSWORD, and what
# psql reads to find the server (PGHOST, PGPORT).
set -eu

: "${POSTGRES_USER:?}" "${PGDATA:?}" "${DATABASE_PASSWORD:?}" "${REPLICATION_PASSWORD:?}"
export DATABASE_PASSWORD REPLICATION_PASSWORD

# A statement that fails must not leave its password in the server's log.
psql -qX -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres >/dev/null <<'SQL'
SET log_min_error_statement = panic;
\getenv database_password DATABASE_PASSWORD
\getenv replication_password REPLICATION_PASSWORD
CREATE ROLE granary LOGIN PASSWORD :'database_password';
CREATE DATABASE granary OWNER granary;
REVOKE CONNECT ON DATABASE granary FROM PUBLIC;
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication_password';
SELECT pg_create_physical_replication_slot('standby');
SQL

echo "host replication replicator all scram-sha-256" >>"$PGDATA/pg_hba.conf"
psql -qX -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -c 'SELECT pg_reload_conf()' >/dev/null
