"""The code interpreter's HTTP server, inside a sandbox: E2B's calls on one side, Jupyter kernels on the other."""

import asyncio
import json
import os
import sys
import tempfile

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_unix_socket
from tornado.web import Application, HTTPError, RequestHandler

from contexts import BadRequest, Contexts, NotFound
from errors import CannotStart
from results import parts

# How long an execution waits for its kernel before it answers at all, in seconds.
HEAD_AFTER_S = 0.5


class Handler(RequestHandler):
    def send_error(self, status_code=500, **kwargs):
        if self._headers_written:
            # Cut, so that it can't pass for complete.
            self.request.connection.stream.close()
        else:
            super().send_error(status_code, **kwargs)

    def initialize(self, contexts):
        self.contexts = contexts

    def body(self):
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError as error:
            raise BadRequest(f"body: is no JSON ({error})") from error
        if not isinstance(body, dict):
            raise BadRequest("body: must be a JSON object")
        return body

    def answer(self, value):
        self.set_header("content-type", "application/json")
        self.finish(json.dumps(value))

    def write_error(self, status_code, **kwargs):
        error = kwargs["exc_info"][1]
        if isinstance(error, CannotStart):
            # Clients show the reason of a 500, and not its body.
            text = "".join(c if 32 <= ord(c) < 127 else " " for c in str(error))
            self.set_status(500, text[:400])
        elif isinstance(error, NotFound):
            self.set_status(404)
        elif isinstance(error, BadRequest):
            self.set_status(400)
        elif isinstance(error, HTTPError):
            self.set_status(error.status_code)
        self.set_header("content-type", "text/plain; charset=utf-8")
        self.finish(str(error))

    def log_exception(self, kind, error, trace):
        if not isinstance(error, (NotFound, BadRequest, CannotStart, HTTPError)):
            super().log_exception(kind, error, trace)


class Health(Handler):
    def get(self):
        self.answer("OK")


class Execute(Handler):
    execution = None
    left = False

    def on_connection_close(self):
        self.left = True
        if self.execution:
            self.execution.cancel()

    async def post(self):
        body = self.body()
        self.execution = asyncio.ensure_future(self.run(body))
        try:
            await self.execution
        except (asyncio.CancelledError, StreamClosedError) as error:
            if not self.left:
                raise RuntimeError("the execution was cancelled") from error

    async def run(self, body):
        starting = asyncio.ensure_future(self.contexts.for_execution(body))
        try:
            # A kernel that takes its time to start doesn't keep the head back: clients tell by it that the sandbox was there.
            await asyncio.wait([starting], timeout=HEAD_AFTER_S)
            if starting.done():
                starting.result()
            self.set_header("content-type", "application/x-ndjson")
            await self.flush()
            context = await starting
        except CannotStart as error:
            if not self._headers_written:
                raise
            return await self.emit(error.event())
        finally:
            starting.cancel()
        await context.execute(body["code"], body.get("env_vars") or {}, self.emit)

    async def emit(self, event):
        for part in parts(event):
            self.write(json.dumps(part) + "\n")
            await self.flush()


class ContextList(Handler):
    def get(self):
        self.answer([context.describe() for context in self.contexts.all()])

    async def post(self):
        body = self.body()
        context = await self.contexts.create(body.get("language"), body.get("cwd"))
        self.answer(context.describe())


class OneContext(Handler):
    async def delete(self, context_id):
        await self.contexts.delete(context_id)
        self.answer(None)


class Restart(Handler):
    async def post(self, context_id):
        await self.contexts.get(context_id).restart()
        self.answer(None)


async def main(socket_path, home):
    environment = dict(os.environ)
    # Ours alone: kernels get the sandbox's own environment.
    private = tempfile.mkdtemp(prefix="interpreter-", dir=os.path.dirname(socket_path))
    os.mkdir(os.path.join(private, "ipython"))
    os.environ["JUPYTER_RUNTIME_DIR"] = private
    # Looking for kernels makes IPython's folder in the home otherwise.
    os.environ["IPYTHONDIR"] = os.path.join(private, "ipython")
    contexts = Contexts(environment, home, private)
    routes = [
        (r"/health", Health),
        (r"/execute", Execute),
        (r"/contexts", ContextList),
        (r"/contexts/([^/]+)", OneContext),
        (r"/contexts/([^/]+)/restart", Restart),
    ]
    application = Application(
        [(path, handler, {"contexts": contexts}) for path, handler in routes],
        log_function=lambda handler: None,
    )
    server = HTTPServer(application, max_buffer_size=1 << 30)
    server.add_socket(bind_unix_socket(socket_path, mode=0o600))
    contexts.prestart()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
