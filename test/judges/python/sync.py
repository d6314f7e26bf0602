"""The synchronous client: each family once."""

from e2b import (
    CommandExitException,
    FileNotFoundException,
    NotFoundException,
    PtySize,
    Sandbox,
    SandboxQuery,
    SandboxState,
)

sandbox = Sandbox.create(timeout=120, metadata={"judge": "sync"}, envs={"GREETING": "hello"})

# commands
assert sandbox.commands.run("echo $GREETING; echo bad >&2").stdout == "hello\n"
try:
    sandbox.commands.run("exit 3")
    raise AssertionError("an exit code was not told")
except CommandExitException as error:
    assert error.exit_code == 3
lines = []
sandbox.commands.run("for i in 1 2 3; do echo $i; done", on_stdout=lines.append)
assert "".join(lines) == "1\n2\n3\n"
background = sandbox.commands.run("cat", background=True, stdin=True)
assert background.pid in [process.pid for process in sandbox.commands.list()]
sandbox.commands.send_stdin(background.pid, "text\n")
assert background.kill()

# files
info = sandbox.files.write("folder/a.txt", "text")
assert info.path == "/home/user/folder/a.txt"
assert sandbox.files.read("folder/a.txt") == "text"
assert bytes(sandbox.files.read("folder/a.txt", format="bytes")) == b"text"
assert [entry.name for entry in sandbox.files.list("folder")] == ["a.txt"]
watch = sandbox.files.watch_dir("folder")
sandbox.files.rename("folder/a.txt", "folder/b.txt")
sandbox.files.make_dir("folder/inner")
assert {event.name for event in watch.get_new_events()} >= {"a.txt", "b.txt", "inner"}
watch.stop()
sandbox.files.remove("folder/b.txt")
assert not sandbox.files.exists("folder/b.txt")
try:
    sandbox.files.read("folder/b.txt")
    raise AssertionError("a missing file was read")
except FileNotFoundException:
    pass

# terminal
terminal = sandbox.pty.create(PtySize(rows=24, cols=80))
sandbox.pty.send_stdin(terminal.pid, b"echo $((40 + 2)); exit\n")
shown = b""
for _stdout, _stderr, pty in terminal:
    shown += pty or b""
assert b"42" in shown

# lifecycle
query = SandboxQuery(metadata={"judge": "sync"}, state=[SandboxState.RUNNING])
assert sandbox.sandbox_id in [found.sandbox_id for found in Sandbox.list(query=query).next_items()]
counting = sandbox.commands.run("i=0; while :; do i=$((i+1)); echo $i >/tmp/i; sleep 0.02; done", background=True)
sandbox.pause()
again = Sandbox.connect(sandbox.sandbox_id, timeout=120)
assert counting.pid in [process.pid for process in again.commands.list()]
assert again.get_info().metadata == {"judge": "sync"}
assert again.is_running()
assert again.kill()
try:
    Sandbox.connect(sandbox.sandbox_id)
    raise AssertionError("a killed sandbox was connected to")
except NotFoundException:
    pass
print("all as expected")
