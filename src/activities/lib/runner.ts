/**
 * The in-sandbox runner: shell text only, needing coreutils and the bash by which E2B's SDK runs every command line. One call launches a
 * command or, where it was launched before, attaches to it. Its variables begin with `_`, and so overwrite none of the command's environment.
 *
 * R1 The launch lock is an atomic mkdir: whoever makes the folder launches, everyone else attaches.
 * R2 The supervisor names itself (pid and start time) before it starts the command, so a lock with no living supervisor
 *    and no exit record means that the outcome can't be known.
 * R3 The exit record appears before the supervisor ends, by one write, and nothing of the folder is touched after it: a file that is empty
 *    is not there yet. The same holds of pid and child. A full disk doesn't keep it out.
 * R4 The result's head and tail are read from the files when the command has ended; the live stream is for watching only,
 *    so a stream that was lost, or bytes that aren't text, never change a result.
 * R5 Environment values are inherited, never written to a file.
 * R6 A sandbox that was resumed may have lost the folder: what may have been launched before that is not launched again.
 * R7 The folder of a command that has ended may be removed, once a mark stands elsewhere: what has a mark is never launched again.
 */

/** Where the runner keeps its folders in every sandbox: outside the repository. */
export const RUNNER_HOME = '/home/user/.holdfast'

/** The same for the commands of another user, who can't write there. */
export const runnerHome = (user?: string): string =>
  user === undefined || user === 'user'
    ? RUNNER_HOME
    : `${user === 'root' ? '/root' : `/home/${user}`}/.holdfast`

/** `run` follows a command to its end, `start` only sees it begin, `attach` follows one that must be there. */
export type Mode = 'run' | 'start' | 'attach'

export interface Launch {
  /** `RUNNER_HOME`, but in tests without a sandbox. */
  home: string
  commandId: string
  mode: Mode
  /** Marks the trailer in the stream; new for every call, so that no output can imitate it. */
  nonce: string
  script: string
  cwd: string
  /** 0 for none. */
  timeoutMs: number
  /** Whether it reads what `stdinCommand` sends; otherwise its input is empty. */
  stdin: boolean
  /** A command that may run again: one that failed, or whose outcome is unknown, is launched anew. */
  repeatable: boolean
  /** Contents of the sentinel that are right; any, where there are none. */
  sentinels: string[]
  /** Whether it may have been launched before the sandbox was last resumed: then it isn't launched now. */
  mustBeThere: boolean
  /** Ids of commands whose folders go, where they have ended, and of batches that have. */
  forget: string[]
  stdoutOffset: number
  stderrOffset: number
}

/** How many bytes of an output the result keeps: the first and the last. */
export const HEAD_BYTES = 4096
export const TAIL_BYTES = 8192
const WHOLE = HEAD_BYTES + TAIL_BYTES

/** For how long nobody follows a command that may be done by then, in s. */
const QUICK_S = 0.1

/** Exit code of the runner itself: the command has run, and its folder was removed. */
export const FORGOTTEN = 95

/** Exit code of the runner itself: there is no such command to attach to. */
export const NO_COMMAND = 96

/** Exit code of the runner itself: nothing was started, because its folder can't be written. */
export const CANNOT_START = 97

/** Exit code of the runner itself: nothing was started, because the sandbox isn't what it was. */
export const DIVERGED = 98

/** Sets `_started` for a process; a subshell for its output would cost as much as all the rest. */
const START_TIME = `start_time() {
  _started=; read -r _st 2>/dev/null <"/proc/$1/stat" || return 1
  _st=\${_st##*) }; set -f; set -- $_st; set +f; _started=\${20}
}`

/**
 * Runs detached, as a process group of its own: the folder is made. Tells on its stdout \`child PID\`, then \`exit RECORD\`, of whoever
 * has launched it only. The holder keeps the input open from one write to the next.
 */
const SUPERVISE = `now() { _t=\${EPOCHREALTIME/[.,]/}; _t=\${_t%???}; }
record() {
  now; _record="$1 $2 $_begun $_t"
  # On a full disk the room of another file will do.
  echo "$_record" >"$_d/exit" || { echo "$_record" 1<>"$_d/child" && mv "$_d/child" "$_d/exit"; }
  echo "exit $_record" >&3
}
supervise() {
  exec 3>&1 </dev/null >/dev/null 2>&1; trap : PIPE
  now; _begun=$_t
  start_time "$BASHPID"
  echo "$BASHPID $_started" >"$_d/pid" || { rm -rf "$_d"; return; }
  builtin cd "$_cwd" 2>>"$_d/stderr" || { record 126 0; return; }
  _in=/dev/null _h=
  if [ "$_stdin" = 1 ]; then
    _in=$_d/stdin; mkfifo "$_in" || { record 126 0; return; }
    sleep 2147483647 >"$_in" 3>&- & _h=$!; disown
    echo "$_h" >"$_d/holder.new"; mv "$_d/holder.new" "$_d/holder"
  fi
  # A group of its own for the command. Behind that no job control: a wait would end when the command is stopped.
  set -m; bash -c "$_cmd" <"$_in" >>"$_d/stdout" 2>>"$_d/stderr" 3>&- & _c=$!; set +m
  echo "$_c" >"$_d/child"; echo "child $_c" >&3
  _n=0 _timed=0 _s=
  while [ "$_n" -lt "$_ticks" ] && kill -0 "$_c"; do
    sleep "$_tick" 3>&- & _s=$!; kill -0 "$_c" || break
    wait -n; _n=$((_n+1))
  done
  if [ "$_ticks" != 0 ] && kill -0 "$_c"; then
    _timed=1; kill -s TERM -- "-$_c"; sleep 5 3>&- & _s=$!; wait -n; kill -s KILL -- "-$_c"
  fi
  wait "$_c"; _code=$?
  if [ "$_timed" = 1 ]; then record 124 1; else record "$_code" 0; fi
  kill $_s $_h
}`

/** Before each script: E2B's SDK runs command lines in a login shell, whose profile may have set anything. */
const CLEAN = `set +Ceufmx; IFS=$' \\t\\n'; trap - EXIT`

/** Of `$_home` the records whose ids are `$_forget`, of commands and of batches that have ended. */
const FORGET = `forget() {
  [ -d "$_home/forgotten" ] || mkdir "$_home/forgotten" || return
  set --; for _id in $_forget; do
    [ -s "$_home/commands/$_id/exit" ] || [ -d "$_home/batches/$_id" ] || continue
    true >"$_home/forgotten/$_id" && set -- "$@" "$_home/commands/$_id" "$_home/batches/$_id"
  done
  rm -rf "$@"
}`

/**
 * Arguments: folder, nonce, mode, repeatable, offsets, sentinels, whether it must be there, what to forget, then what the supervisor takes:
 * tick in s, ticks until the timeout, whether there is an input, working folder, the command.
 *
 * Most commands are short, and a process costs a millisecond: whoever has launched one waits for its supervisor's word first. One that is
 * done soon, and has printed little, is told of in the trailer alone.
 */
const ATTACH = `${CLEAN}
${START_TIME}
${SUPERVISE}
_d=$1 _nonce=$2 _mode=$3 _repeatable=$4 _out=$5 _err=$6 _sentinels=$7 _known=$8 _forget=$9; shift 9
_tick=$1 _ticks=$2 _stdin=$3 _cwd=$4 _cmd=$5
_home=\${_d%/commands/*}; _forgotten=$_home/forgotten/\${_d##*/}
if [ -n "$_sentinels" ]; then
  _have=none; { read -r _have <"$_home/sentinel"; } 2>/dev/null
  case " $_sentinels " in *" $_have "*) ;; *) exit ${DIVERGED};; esac
fi
alive() { _p=; _s=; { read -r _p _s <"$_d/pid"; } 2>/dev/null; [ -n "$_p" ] && start_time "$_p" && [ "$_started" = "$_s" ]; }
follow() {
  tail -q -c +$((_out+1)) $1 "$_d/stdout" & _o=$!
  tail -q -c +$((_err+1)) $1 "$_d/stderr" >&2 & _e=$!
  wait "$_o" "$_e"
}
cannot_start() {
  set -- $(stat -f -c '%a %d' "\${_d%/*}"); _why=
  if [ "\${1:-1}" -lt 8 ] || [ "\${2:-1}" -lt 8 ]; then _why=': No space left on device'; fi
  echo "holdfast: no command can be started, its folder could not be written$_why" >&2; exit ${CANNOT_START}
}
${FORGET}
forgot() { [ -z "$_g" ] || wait "$_g"; }
running() { printf '\\n%s running %s\\n' "$_nonce" "$1"; forgot; exit 0; }
[ ! -e "$_forgotten" ] || exit ${FORGOTTEN}
[ "$_mode" != attach ] || [ -d "$_d" ] || exit ${NO_COMMAND}
[ "$_known" = 0 ] || [ -d "$_d" ] || exit ${DIVERGED}
[ -d "\${_d%/*}" ] || mkdir -p "\${_d%/*}" || exit ${CANNOT_START}
if [ "$_repeatable" = 1 ] && [ -d "$_d" ] && { [ -s "$_d/exit" ] || ! alive; }; then
  _code=; { read -r _code _rest <"$_d/exit"; } 2>/dev/null
  [ "$_code" = 0 ] || { mv "$_d" "$_d.old.$$" && rm -rf "$_d.old.$$"; _out=0; _err=0; }
fi
_launched= _word=
if mkdir "$_d" 2>/dev/null; then
  [ ! -e "$_forgotten" ] || { rmdir "$_d"; exit ${FORGOTTEN}; }
  : >"$_d/stdout"; : >"$_d/stderr"
  set -m; coproc _told { supervise; }; set +m
  # Its end closes what it tells by.
  { exec 4<&"\${_told[0]}"; } 2>/dev/null && _launched=1
fi
_g=; [ -z "$_forget" ] || { forget >/dev/null 2>&1 & _g=$!; }
if [ -n "$_launched" ]; then
  read -r _word _record <&4
  [ "$_mode$_word" != startchild ] || running "$_record"
  [ "$_word" != child ] || read -r -t ${QUICK_S} _word _record <&4
fi
if [ "$_word" != exit ]; then
  _n=0; while [ ! -s "$_d/pid" ] && [ -d "$_d" ] && [ "$_n" -lt 1000 ]; do sleep 0.002; _n=$((_n+1)); done
  [ -d "$_d" ] || cannot_start
  if [ "$_mode" = start ]; then
    while alive && [ ! -s "$_d/child" ] && [ ! -s "$_d/exit" ]; do sleep 0.002; done
    _c=; { read -r _c <"$_d/child"; } 2>/dev/null
    [ -z "$_c" ] || running "$_c"
  fi
  if alive; then follow "-f -s 0.02 --pid=$_p"; else follow; fi
  _record=unknown; [ ! -s "$_d/exit" ] || read -r _record <"$_d/exit"
fi
set -- $_record
# Without a shell that knows the time, that of the files.
[ "$#" != 2 ] || { _record="$1 $2"; set -- $(LC_ALL=C stat -c %.3Y "$_d/pid" "$_d/exit"); _record="$_record \${1%.*}\${1#*.} \${2%.*}\${2#*.}"; }
LC_ALL=C
whole() { IFS= read -r -d '' -n ${WHOLE + 1} _text <"$1" && return 1; return 0; }
if whole "$_d/stdout" && _o=$_text && whole "$_d/stderr"; then
  [ "$_word" = exit ]; _streamed=$?
  printf '\\n%s %s %s %s %s\\n%s\\n%s \\n%s %s\\n%s \\n%s ' "$_nonce" "$_record" \${#_o} \${#_text} $_streamed "$_o" $_nonce $_nonce "$_text" $_nonce $_nonce
else
  [ "$_word" != exit ] || follow
  set -- $(stat -c %s "$_d/stdout" "$_d/stderr")
  part() {
    if [ "$1" -le ${WHOLE} ]; then head -c "$1" "$2"; printf '\\n%s ' $_nonce
    else head -c ${HEAD_BYTES} "$2"; printf '\\n%s ' $_nonce; tail -c ${TAIL_BYTES} "$2"; fi
    printf '\\n%s ' $_nonce
  }
  printf '\\n%s %s %s %s 1\\n' "$_nonce" "$_record" "$1" "$2"
  part "$1" "$_d/stdout"; part "$2" "$_d/stderr"
fi
forgot
`

/**
 * Arguments: folder, patience and grace in ticks of 5 ms. Waits for the command to begin, asks its process group to end, then
 * makes it; says `killed`, or `ended` where it had ended.
 */
const CANCEL = `${CLEAN}
_d=$1 _patience=$2 _grace=$3 _n=0
# Nothing ever comes from there: a wait without a process.
exec 5<> <(:); tick() { read -r -t 0.005 <&5; _n=$((_n+1)); }
while [ ! -s "$_d/child" ] && [ ! -s "$_d/exit" ] && [ "$_n" -lt "$_patience" ]; do tick; done
[ ! -s "$_d/exit" ] || { echo ended; exit 0; }
{ read -r _c <"$_d/child" && kill -s TERM -- "-$_c"; } 2>/dev/null || exit 0
echo killed
_n=0; while [ ! -s "$_d/exit" ] && [ "$_n" -lt "$_grace" ]; do tick; done
kill -s KILL -- "-$_c" 2>/dev/null
exit 0
`

/** Argument: the folder of all. For each command that runs its id, its process group and its command line, up to a NUL. */
const LIST = `${CLEAN}; LC_ALL=C
${START_TIME}
for _d in "$1"/*/; do
  _d=\${_d%/}; [ ! -s "$_d/exit" ] || continue
  _p=; _s=; { read -r _p _s <"$_d/pid"; } 2>/dev/null
  [ -n "$_p" ] && start_time "$_p" && [ "$_started" = "$_s" ] && read -r _c 2>/dev/null <"$_d/child" || continue
  _line=; { while IFS= read -r -d '' _word; do _line="$_line$_word "; done <"/proc/$_c/cmdline"; } 2>/dev/null
  [ -z "$_line" ] || printf '%s %s %s\\0' "\${_d##*/}" "$_c" "\${_line:0:1000}"
done
exit 0
`

const line = (script: string, words: string[]): string => `set -- ${words.map(quote).join(' ')}\n${script}`

/** The command line that tells which commands run. */
export const listCommand = (home: string): string => line(LIST, [`${home}/commands`])

/** The command line that forgets, and always succeeds. */
export const forgetCommand = (home: string, ids: string[]): string =>
  `${line('_home=$1 _forget=$2', [home, ids.join(' ')])}\n${FORGET}\n[ -z "$_forget" ] || forget >/dev/null 2>&1; true`

/** The command line that launches or attaches, for E2B's `commands.run`. */
export function attachCommand(launch: Launch): string {
  const tickMs = launch.timeoutMs < 10_000 ? 100 : 1_000
  const words = [
    commandFolder(launch.home, launch.commandId),
    launch.nonce,
    launch.mode,
    launch.repeatable ? '1' : '0',
    String(launch.stdoutOffset),
    String(launch.stderrOffset),
    launch.sentinels.join(' '),
    launch.mustBeThere ? '1' : '0',
    launch.forget.join(' '),
    String(tickMs / 1e3),
    String(Math.ceil(launch.timeoutMs / tickMs)),
    launch.stdin ? '1' : '0',
    launch.cwd,
    launch.script,
  ]
  return line(ATTACH, words)
}

/**
 * The command line that ends a command: SIGTERM to its process group, `graceMs`, SIGKILL. One that hasn't begun is waited for,
 * up to `patienceMs`.
 */
export function cancelCommand(home: string, commandId: string, graceMs: number, patienceMs = 0): string {
  const ticks = (ms: number): string => String(Math.ceil(ms / 5))
  return line(CANCEL, [commandFolder(home, commandId), ticks(patienceMs), ticks(graceMs)])
}

export const commandFolder = (home: string, commandId: string): string => `${home}/commands/${commandId}`

/** A word for a POSIX shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
