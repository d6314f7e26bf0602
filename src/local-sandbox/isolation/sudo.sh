#!/bin/sh
# Stands in for sudo where the sandbox server's host has none. The command takes this process's place, so its terminal,
# signals and exit code are its own. `setpriv` is setuid there, for root and `user` alone.
setpriv=/usr/libexec/holdfast/setpriv
target=root shell='' login='' keep=''
fail() {
  echo "sudo: $1" >&2
  exit 1
}
while [ $# -gt 0 ]; do
  case $1 in
    -u | --user) [ $# -gt 1 ] || fail "$1: name a user"; target=$2; shift ;;
    --user=*) target=${1#*=} ;;
    -u*) target=${1#-u} ;;
    -E | --preserve-env) keep=yes ;;
    -i | --login) login=yes ;;
    -s | --shell) shell=yes ;;
    -H | -n | -S | -k | --set-home | --non-interactive | --stdin | --reset-timestamp) ;;
    -v | --validate) exit 0 ;;
    --) shift; break ;;
    -*) fail "$1: this stand-in knows -u -E -H -n -S -k -v -i -s; for all others install sudo on the sandbox server's host" ;;
    *) break ;;
  esac
  shift
done
entry=$(getent passwd "${target#\#}") || fail "unknown user $target"
IFS=: read -r name _ uid gid _ home login_shell <<END
$entry
END
assigned=0
for word; do
  case $word in [A-Za-z_]*=*) assigned=$((assigned + 1)) ;; *) break ;; esac
done
case $login$shell in
  '')
    [ $# -gt $assigned ] || fail 'name a command'
    eval "program=\${$((assigned + 1))}"
    command -v "$program" >/dev/null || fail "$program: command not found"
    ;;
  yes*)
    [ -z "$login" ] || { set -- -l ${1+-c "$*"}; cd "$home" || exit 1; }
    [ -n "$login" ] || { login_shell=${SHELL:-$login_shell}; set -- ${1+-c "$*"}; }
    set -- "$login_shell" "$@"
    ;;
esac
set -- "HOME=$home" "USER=$name" "LOGNAME=$name" "SUDO_USER=$(id -un)" "SUDO_UID=$(id -u)" "SUDO_GID=$(id -g)" "$@"
if [ -z "$keep" ]; then
  for variable in PATH TERM LANG LC_ALL DISPLAY HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy \
    NODE_EXTRA_CA_CERTS SSL_CERT_FILE CURL_CA_BUNDLE GIT_SSL_CAINFO REQUESTS_CA_BUNDLE; do
    eval "value=\${$variable-}"
    [ -z "$value" ] || set -- "$variable=$value" "$@"
  done
  set -- -i "$@"
fi
exec "$setpriv" --reuid "$uid" --regid "$gid" --init-groups env "$@"
