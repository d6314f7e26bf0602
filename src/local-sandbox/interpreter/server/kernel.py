"""One kernel process, and the code it is given."""

import asyncio
import queue
import subprocess

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


class Kernel:
    def __init__(self, manager, client):
        self._manager = manager
        self._client = client
        self._stopped = False
        self._reading = asyncio.Lock()
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
            kernel = cls(manager, client)
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
        request = self._send(code, silent=False)
        try:
            await self._finish(request, emit)
        except KernelGone:
            raise
        except BaseException:
            await self._interrupt(request)
            raise

    def _send(self, code, silent):
        if self.gone():
            raise KernelGone("the kernel has ended")
        # Nothing is ever queued behind an execution, so there is nothing to abort on an error.
        return self._client.execute(
            code, silent=silent, store_history=not silent, allow_stdin=False, stop_on_error=False
        )

    async def _interrupt(self, request):
        while not self.gone():
            await self._manager.interrupt_kernel()
            try:
                await asyncio.wait_for(self._finish(request, None), INTERRUPT_SECONDS)
                return
            except asyncio.TimeoutError:
                continue
            except KernelGone:
                return

    async def _finish(self, request, emit):
        """Reads what the kernel tells of a request until it is done with it."""
        async with self._reading:
            await self._read(request, emit)

    async def _read(self, request, emit):
        while True:
            message = await self._next(emit)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            event = results.event(message) if emit else None
            if event:
                await emit(event)

    async def _next(self, emit):
        silence = 0
        while True:
            try:
                return await self._client.get_iopub_msg(timeout=SLICE_SECONDS)
            except queue.Empty:
                silence += SLICE_SECONDS
            if self._stopped:
                raise KernelGone("the kernel was stopped")
            if self.gone():
                raise KernelGone("the kernel ended during the execution; the next one starts a new kernel")
            if emit and silence >= KEEPALIVE_SECONDS:
                silence = 0
                await emit({"type": "keepalive"})
