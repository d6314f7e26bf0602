#!/bin/sh
# NAME_FILE=/run/secrets/… gives NAME the content of that file, as Docker and Kubernetes mount secrets. Then the program starts.
set -eu
secrets=${SECRETS_DIR:-/run/secrets}
for name in $(env | sed -n "s|^\([A-Z][A-Z0-9_]*\)_FILE=$secrets/.*|\1|p"); do
  # Holdfast reads this one itself.
  [ "$name" = HOLDFAST_ENCRYPTION_KEYS ] && continue
  eval "file=\$${name}_FILE"
  [ -r "$file" ] || { echo "${name}_FILE: $file can not be read; run deploy/make-secrets.sh" >&2; exit 2; }
  export "$name=$(cat "$file")"
done
exec "$@"
