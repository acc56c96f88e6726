#!/bin/sh
# Starts Temporal. It takes its password from the environment alone, so it gets it here and not from the compose file.
set -eu
POSTGRES_PWD=$(cat /run/secrets/temporal_database_password)
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
