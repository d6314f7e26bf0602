#!/bin/sh
# Makes Temporal's two databases, or brings their schemas up to this version. Run by the admin-tools image.
set -eu
SQL_PASSWORD=$(cat "${SECRETS_DIR:-/run/secrets}/postgres_password")
export SQL_PASSWORD
schemas=${SCHEMAS:-/etc/temporal/schema/postgresql/v12}
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  tool() { temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "${DB_PORT:-5432}" --user "$POSTGRES_USER" --database "$database" "$@"; }
  tool create
  # Says so and fails where there are tables already: then it is an update.
  tool setup-schema --version 0.0 2>/dev/null || :
  tool update-schema --schema-dir "$schemas/${pair##*:}/versioned"
done
