#!/bin/sh
# Makes the namespace, once. Its search attributes are registered by the workers.
set -eu
namespace=${TEMPORAL_NAMESPACE:-default}
tries=60
until temporal operator cluster health >/dev/null; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "no Temporal server is ready at ${TEMPORAL_ADDRESS:-127.0.0.1:7233}" >&2; exit 1; }
  sleep 1
done
temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention "${RETENTION:-30d}"
