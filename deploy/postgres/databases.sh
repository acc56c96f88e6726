#!/bin/sh
# Makes the roles and our database, and gives the roles the passwords of their files. Again changes nothing else, so
# a password is changed by writing its file anew and running this job.
# The role temporal makes its two databases itself (schema.sh). Only the owner of a database may enter it.
set -eu
secrets=${SECRETS:-/run/secrets}
PGPASSWORD=$(cat "$secrets/postgres_password")
export PGPASSWORD

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres --set "secrets=$secrets" <<'SQL'
\set refunds_file :secrets '/refunds_database_password'
\set temporal_file :secrets '/temporal_database_password'
\set refunds_password `cat :refunds_file`
\set temporal_password `cat :temporal_file`
SELECT 'CREATE ROLE refunds LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'refunds') \gexec
SELECT 'CREATE ROLE temporal LOGIN CREATEDB' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'temporal') \gexec
ALTER ROLE refunds PASSWORD :'refunds_password';
ALTER ROLE temporal PASSWORD :'temporal_password';
SELECT 'CREATE DATABASE refunds OWNER refunds' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'refunds') \gexec
REVOKE ALL ON DATABASE refunds FROM PUBLIC;
SQL
