#!/bin/sh
# Brings Temporal's two databases to the schema of this release of the admin tools. Again changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/temporal_database_password)
export SQL_PASSWORD

migrate() {
    database=$1 schema=$2
    sql() { temporal-sql-tool --plugin postgres12 --ep "${SQL_HOST:?}" --port 5432 --user temporal --db "$database" "$@"; }
    sql create
    sql setup-schema -v 0.0
    sql update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
}

migrate temporal temporal
migrate temporal_visibility visibility
