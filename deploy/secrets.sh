#!/bin/sh
# Makes the passwords that nobody needs to know, each in a file of its own that only its owner reads; what is there
# already stays. Then says what you must put beside them. They belong to the user that the containers run as:
# REFUNDS_UID and REFUNDS_GID in .env (your own `id -u` and `id -g`), or 10001.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
for name in postgres_password refunds_database_password temporal_database_password; do
    [ -s "$folder/$name" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$name"
done
missing=0
for name in stripe_secret_key stripe_webhook_secret chains.toml keystore.json keystore_password; do
    if [ ! -s "$folder/$name" ]; then
        echo "still missing: $folder/$name" >&2
        missing=1
    fi
done
exit "$missing"
