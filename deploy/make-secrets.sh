#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, where they are missing. Those of others (E2B, git host) are asked of you.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
made() { [ -s "secrets/$1" ]; }
made postgres_password || openssl rand -hex 24 >secrets/postgres_password
made codec_token || openssl rand -hex 32 >secrets/codec_token
made grafana_password || openssl rand -hex 16 >secrets/grafana_password
made encryption_keys || echo "$(date +%Y-%m):$(openssl rand -base64 32)" >secrets/encryption_keys
# For the local sandbox server any key does; for E2B's cloud put yours there.
made e2b_api_key || echo "e2b_$(openssl rand -hex 20)" >secrets/e2b_api_key
made git_token || {
  : >secrets/git_token
  echo 'deploy/secrets/git_token is empty: put the token there that may push to your repositories' >&2
}
# The containers' users have other ids than you; other users of this machine don't come into the folder.
chmod 0644 secrets/*
