#!/bin/sh
# The image takes the database's password from its environment only. Then the program that is named starts.
set -eu
POSTGRES_PWD=$(cat "${SECRETS_DIR:-/run/secrets}/postgres_password")
export POSTGRES_PWD
exec "$@"
