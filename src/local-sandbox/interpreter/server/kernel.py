"""One kernel process, and the code it is given."""

import asyncio
import itertools
import queue
import subprocess
import uuid

from jupyter_client.manager import AsyncKernelManager

import languages
import results
from errors import CannotStart, KernelGone

START_SECONDS = 60
KEEPALIVE_SECONDS = 5
# How often a silent kernel is looked after: ended ones say nothing.
SLICE_SECONDS = 0.25
# How long an interrupted kernel may take before it is interrupted again: the signal can come before the code begins.
INTERRUPT_SECONDS = 3
# After how many interrupts a kernel that can endure them is ended.
INTERRUPTS = 2


class Kernel:
    def __init__(self, manager, client, language):
        self._language = language
        self._manager = manager
        self._client = client
        self._stopped = False
        self._reading = asyncio.Lock()
        self._idle_after = None
        self._ended = asyncio.ensure_future(manager.provisioner.wait())

    @classmethod
    async def start(cls, language, cwd, environment, private):
        manager = AsyncKernelManager(kernel_name=languages.kernel_name(language))
        kernel = None
        try:
            await manager.start_kernel(
                cwd=cwd,
                env={**environment, **languages.environment(language, private)},
                extra_arguments=languages.arguments(language),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            client = manager.client()
            client.start_channels()
            kernel = cls(manager, client, language)
            await client.wait_for_ready(timeout=START_SECONDS)
            startup = languages.startup_code(language)
            if startup:
                await kernel.run_silently(startup)
            return kernel
        except (RuntimeError, OSError, KernelGone) as error:
            if kernel:
                await kernel.stop()
            raise CannotStart(f"the kernel for '{language}' did not start: {error}") from error

    def gone(self):
        return self._stopped or self._ended.done()

    async def stop(self):
        self._stopped = True
        await self._manager.shutdown_kernel(now=True)
        # Closed under a reader, a channel cancels the reader's task.
        async with self._reading:
            self._client.stop_channels()

    async def run_silently(self, code):
        await self._finish(self._send(code, silent=True), None)

    async def run(self, code, emit):
        """Runs code to its end. Whatever ends this before, the kernel is interrupted, and idle when this returns."""
        failed = False

        async def tell(event):
            nonlocal failed
            failed = failed or event["type"] == "error"
            await emit(event)

        request = self._send(code, silent=False)
        try:
            reply = await self._finish(request, tell)
        except KernelGone:
            raise
        except BaseException:
            await self._interrupt(request)
            raise
        await self._drain(request, tell)
        # Some kernels tell of some errors here alone.
        if reply["status"] == "error" and not failed:
            await emit(results.failure(reply))

    def _send(self, code, silent):
        if self.gone():
            raise KernelGone("the kernel has ended")
        # Nothing is ever queued behind an execution, so there is nothing to abort on an error.
        return self._client.execute(
            code, silent=silent, store_history=not silent, allow_stdin=False, stop_on_error=False
        )

    async def _interrupt(self, request):
        for count in itertools.count():
            if self.gone():
                return
            if count == INTERRUPTS and languages.endures_interrupts(self._language):
                return await self.stop()
            await self._manager.interrupt_kernel()
            try:
                await asyncio.wait_for(self._finish(request, None), INTERRUPT_SECONDS)
                return
            except asyncio.TimeoutError:
                continue
            except KernelGone:
                return

    async def _finish(self, request, emit):
        """Reads what the kernel tells of a request until it is done with it. Resolves to its reply."""
        async with self._reading:
            return await self._read(request, emit)

    async def _read(self, request, emit):
        # Kept in the object, as whoever reads that may be cancelled before the reply, and another read on.
        while self._idle_after != request:
            message = await self._message(emit)
            event = results.event(message) if emit and parent(message) == request else None
            if event:
                await emit(event)
        while parent(reply := await self._next(self._client.get_shell_msg, None)) != request:
            pass
        return reply["content"]

    async def _drain(self, request, emit):
        """Emits what a kernel tells after it has said that it is done: up to a mark that it is made to print."""
        mark = str(uuid.uuid4())
        code = languages.print_code(self._language, mark)
        if not code:
            return
        marking = self._send(code, silent=True)
        async with self._reading:
            marked = False
            while not marked:
                message = await self._message(emit)
                if parent(message) not in (request, marking):
                    continue
                if message["msg_type"] == "error" and parent(message) == marking:
                    break
                if message["msg_type"] == "stream":
                    text, marked, _ = message["content"]["text"].partition(mark)
                    message["content"]["text"] = text
                    if not text:
                        continue
                elif parent(message) != request:
                    continue
                event = results.event(message)
                if event:
                    await emit(event)
            await self._read(marking, None)

    async def _message(self, emit):
        message = await self._next(self._client.get_iopub_msg, emit)
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            self._idle_after = parent(message)
        return message

    async def _next(self, get, emit):
        silence = 0
        while True:
            try:
                return await get(timeout=SLICE_SECONDS)
            except queue.Empty:
                silence += SLICE_SECONDS
            if self._stopped:
                raise KernelGone("the kernel was stopped")
            if self.gone():
                raise KernelGone("the kernel ended during the execution; the next one starts a new kernel")
            if emit and silence >= KEEPALIVE_SECONDS:
                silence = 0
                await emit({"type": "keepalive"})


def parent(message):
    return message["parent_header"].get("msg_id")
