/**
 * The in-sandbox runner: shell text only, needing POSIX sh, coreutils and setsid. One call launches a command or, where
 * it was launched before, attaches to it.
 *
 * R1 The launch lock is an atomic mkdir: whoever makes the folder launches, everyone else attaches.
 * R2 The supervisor names itself (pid and start time) before it starts the command, so a lock with no living supervisor
 *    and no exit record means that the outcome can't be known.
 * R3 The exit record appears before the supervisor ends, by one write: a file that is empty is not there yet. The same holds of pid and
 *    child. A full disk doesn't keep it out. When the command began and ended is the time of those files.
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
  /** Ids of commands whose folders go, where they have ended. */
  forget: string[]
  stdoutOffset: number
  stderrOffset: number
}

/** How many bytes of an output the result keeps: the first and the last. */
export const HEAD_BYTES = 4096
export const TAIL_BYTES = 8192

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

/** Sets `started` for a process; a subshell for its output would cost as much as all the rest. */
const START_TIME = `start_time() {
  started=; read -r st 2>/dev/null <"/proc/$1/stat" || return 1
  st=\${st##*) }; set -f; set -- $st; set +f; started=\${20}
}`

/**
 * Runs detached. Arguments: folder, tick in s, ticks until the timeout, whether there is an input, working folder, the command.
 * The holder keeps the input open from one write to the next.
 */
const SUPERVISOR = `
${START_TIME}
d=$1 tick=$2 ticks=$3 stdin=$4 cwd=$5 cmd=$6
start_time $$
echo "$$ $started" >"$d/pid" || { rm -rf "$d"; exit 1; }
# On a full disk the room of another file will do.
record() { echo "$1 $2" >"$d/exit" || { echo "$1 $2" 1<>"$d/child" && mv "$d/child" "$d/exit"; }; }
cd "$cwd" 2>>"$d/stderr" || { record 126 0; exit 0; }
shell=sh; ! command -v bash >/dev/null || shell=bash
in=/dev/null h=
if [ "$stdin" = 1 ]; then
  in=$d/stdin; mkfifo "$in" || { record 126 0; exit 0; }
  sleep 2147483647 >"$in" & h=$!
  echo "$h" >"$d/holder.new"; mv "$d/holder.new" "$d/holder"
fi
setsid "$shell" -c "$cmd" <"$in" >>"$d/stdout" 2>>"$d/stderr" &
c=$!
echo "$c" >"$d/child"
w=
[ "$ticks" = 0 ] || {
  ( n=0; while [ "$n" -lt "$ticks" ]; do sleep "$tick"; n=$((n+1)); kill -0 "$c" 2>/dev/null || exit; done
    : >"$d/timed-out"; kill -s TERM -- "-$c"; sleep 5; kill -s KILL -- "-$c" ) >/dev/null 2>&1 &
  w=$!
}
wait "$c"; code=$?
kill $w $h 2>/dev/null
if [ -e "$d/timed-out" ]; then kill -s KILL -- "-$c" 2>/dev/null; record 124 1; else record "$code" 0; fi
exit 0
`

/**
 * Arguments: folder, nonce, mode, repeatable, offsets, sentinels, whether it must be there, what to forget, then what the supervisor takes.
 *
 * Most commands are short, and a process costs a millisecond or two: whoever has launched one waits for its supervisor first, and
 * shows the whole output of one that is done soon. \`take\` settles by an atomic create who shows it.
 */
const ATTACH = `
${START_TIME}
d=$1 nonce=$2 mode=$3 repeatable=$4 out=$5 err=$6 sentinels=$7 known=$8 forget=$9; shift 9
supervisor=$1; shift
home=\${d%/commands/*}; forgotten=$home/forgotten/\${d##*/}
if [ -n "$sentinels" ]; then
  have=none; { read -r have <"$home/sentinel"; } 2>/dev/null
  case " $sentinels " in *" $have "*) ;; *) exit ${DIVERGED};; esac
fi
alive() { p=; s=; { read -r p s <"$d/pid"; } 2>/dev/null; [ -n "$p" ] && start_time "$p" && [ "$started" = "$s" ]; }
follow() {
  tail -q -c +$((out+1)) $1 "$d/stdout" & o=$!
  tail -q -c +$((err+1)) $1 "$d/stderr" >&2 & e=$!
  wait "$o" "$e"
}
cannot_start() {
  set -- $(stat -f -c '%a %d' "\${d%/*}"); why=
  if [ "\${1:-1}" -lt 8 ] || [ "\${2:-1}" -lt 8 ]; then why=': No space left on device'; fi
  echo "holdfast: no command can be started, its folder could not be written$why" >&2; exit ${CANNOT_START}
}
take() { (set -C; : >"$d/taken") 2>/dev/null; }
forget() {
  [ -d "$home/forgotten" ] || mkdir "$home/forgotten" || return
  set --; for id in $forget; do
    [ ! -s "$home/commands/$id/exit" ] || { true >"$home/forgotten/$id" && set -- "$@" "$home/commands/$id"; }
  done
  rm -rf "$@"
}
forgot() { [ -z "$g" ] || wait "$g"; }
[ ! -e "$forgotten" ] || exit ${FORGOTTEN}
[ "$mode" != attach ] || [ -d "$d" ] || exit ${NO_COMMAND}
[ "$known" = 0 ] || [ -d "$d" ] || exit ${DIVERGED}
[ -d "\${d%/*}" ] || mkdir -p "\${d%/*}" || exit ${CANNOT_START}
if [ "$repeatable" = 1 ] && [ -d "$d" ] && ! alive; then
  code=; { read -r code rest <"$d/exit"; } 2>/dev/null
  [ "$code" = 0 ] || { mv "$d" "$d.old.$$" && rm -rf "$d.old.$$"; out=0; err=0; }
fi
launched=
if mkdir "$d" 2>/dev/null; then
  [ ! -e "$forgotten" ] || { rmdir "$d"; exit ${FORGOTTEN}; }
  : >"$d/stdout"; : >"$d/stderr"
  setsid sh -c "$supervisor" holdfast-runner "$d" "$@" </dev/null >/dev/null 2>&1 & launched=$!
fi
g=; [ -z "$forget" ] || { forget >/dev/null 2>&1 & g=$!; }
if [ -n "$launched" ] && [ "$mode" = run ]; then
  ( sleep ${QUICK_S} >/dev/null 2>&1; take && follow "-f -s 0.02 --pid=$launched" ) & f=$!
  wait "$launched"; [ $? != 1 ] || cannot_start
  if take; then
    kill "$f"
    [ ! -s "$d/stdout" ] || tail -q -c +$((out+1)) "$d/stdout"
    [ ! -s "$d/stderr" ] || tail -q -c +$((err+1)) "$d/stderr" >&2
  else wait "$f" || follow; fi
else
  n=0; while [ ! -s "$d/pid" ] && [ -d "$d" ] && [ "$n" -lt 1000 ]; do sleep 0.002; n=$((n+1)); done
  [ -d "$d" ] || cannot_start
  if [ "$mode" = start ]; then
    while alive && [ ! -s "$d/child" ] && [ ! -s "$d/exit" ]; do sleep 0.002; done
    c=; { read -r c <"$d/child"; } 2>/dev/null
    [ -z "$c" ] || { printf '\\n%s running %s\\n' "$nonce" "$c"; forgot; exit 0; }
  fi
  if alive; then follow "-f -s 0.02 --pid=$p"; else follow; fi
fi
part() {
  [ -s "$1" ] || { printf ' 0 = -'; return; }
  text=$(head -c ${HEAD_BYTES + TAIL_BYTES + 1} "$1" | base64 -w 0)
  size=$((\${#text} / 4 * 3))
  case $text in *==) size=$((size-2));; *=) size=$((size-1));; esac
  if [ "$size" -le ${HEAD_BYTES + TAIL_BYTES} ]; then printf ' %s =%s -' "$size" "$text"
  else printf ' %s %s %s' "$(stat -c %s "$1")" "=$(head -c ${HEAD_BYTES} "$1" | base64 -w 0)" "=$(tail -c ${TAIL_BYTES} "$1" | base64 -w 0)"; fi
}
record=unknown
if [ -s "$d/exit" ]; then
  read -r record <"$d/exit"; set -- $(LC_ALL=C stat -c %.3Y "$d/pid" "$d/exit")
  record="$record \${1%.*}\${1#*.} \${2%.*}\${2#*.}"
fi
printf '\\n%s %s%s%s\\n' "$nonce" "$record" "$(part "$d/stdout")" "$(part "$d/stderr")"
forgot
`

/**
 * Arguments: folder, patience and grace in ticks of 20 ms. Waits for the command to begin, asks its process group to end, then
 * makes it; says `killed`, or `ended` where it had ended. A command that has just begun has no group of its own yet.
 */
const CANCEL = `
d=$1 patience=$2 grace=$3
n=0; while [ ! -s "$d/child" ] && [ ! -s "$d/exit" ] && [ "$n" -lt "$patience" ]; do sleep 0.02; n=$((n+1)); done
[ ! -s "$d/exit" ] || { echo ended; exit 0; }
read -r c 2>/dev/null <"$d/child" || exit 0
kill -s TERM -- "-$c" 2>/dev/null || kill -s TERM "$c" 2>/dev/null || exit 0
echo killed
n=0; while [ ! -s "$d/exit" ] && [ "$n" -lt "$grace" ]; do sleep 0.02; n=$((n+1)); done
kill -s KILL -- "-$c" 2>/dev/null
exit 0
`

/** Argument: the home. A line for each command that runs: its id, its process group and its command line in base64. */
const LIST = `
${START_TIME}
for d in "$1"/commands/*/; do
  d=\${d%/}; [ ! -s "$d/exit" ] || continue
  p=; s=; { read -r p s <"$d/pid"; } 2>/dev/null
  [ -n "$p" ] && start_time "$p" && [ "$started" = "$s" ] && read -r c 2>/dev/null <"$d/child" || continue
  [ -r "/proc/$c/cmdline" ] && echo "\${d##*/} $c $(tr '\\0' ' ' <"/proc/$c/cmdline" | head -c 1000 | base64 -w 0)"
done
exit 0
`

/** The command line that tells which commands run. */
export const listCommand = (home: string): string =>
  `exec ${['sh', '-c', LIST, 'holdfast', home].map(quote).join(' ')}`

/** The command line that launches or attaches, for E2B's `commands.run`. */
export function attachCommand(launch: Launch): string {
  const tickMs = launch.timeoutMs < 10_000 ? 100 : 1_000
  const words = [
    'sh',
    '-c',
    ATTACH,
    'holdfast',
    commandFolder(launch.home, launch.commandId),
    launch.nonce,
    launch.mode,
    launch.repeatable ? '1' : '0',
    String(launch.stdoutOffset),
    String(launch.stderrOffset),
    launch.sentinels.join(' '),
    launch.mustBeThere ? '1' : '0',
    launch.forget.join(' '),
    SUPERVISOR,
    String(tickMs / 1e3),
    String(Math.ceil(launch.timeoutMs / tickMs)),
    launch.stdin ? '1' : '0',
    launch.cwd,
    launch.script,
  ]
  return `exec ${words.map(quote).join(' ')}`
}

/**
 * The command line that ends a command: SIGTERM to its process group, `graceMs`, SIGKILL. One that hasn't begun is waited for,
 * up to `patienceMs`.
 */
export function cancelCommand(home: string, commandId: string, graceMs: number, patienceMs = 0): string {
  const ticks = (ms: number): string => String(Math.ceil(ms / 20))
  const words = [
    'sh',
    '-c',
    CANCEL,
    'holdfast',
    commandFolder(home, commandId),
    ticks(patienceMs),
    ticks(graceMs),
  ]
  return `exec ${words.map(quote).join(' ')}`
}

export const commandFolder = (home: string, commandId: string): string => `${home}/commands/${commandId}`

/** A word for a POSIX shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
