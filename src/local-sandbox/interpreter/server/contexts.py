"""Contexts: each a kernel with its variables, and one execution at a time."""

import asyncio
import os
import uuid

import languages
from errors import CannotStart, KernelGone
from kernel import Kernel


class NotFound(Exception):
    pass


class BadRequest(Exception):
    pass


class Context:
    def __init__(self, language, cwd, launch):
        self.id = str(uuid.uuid4())
        self.language = language
        self.cwd = cwd
        self._launch = launch
        self._turn = asyncio.Lock()
        self._starting = None

    def describe(self):
        return {"id": self.id, "language": self.language, "cwd": self.cwd}

    def start(self):
        """Begins to start the kernel unless that was done; a kernel that failed to start is tried again."""
        task = self._starting
        if task and task.done() and (task.cancelled() or task.exception() or task.result().gone()):
            task = None
        if task is None:
            task = self._starting = asyncio.ensure_future(self._launch(self))
            # Whoever needs the kernel sees why it failed.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def ready(self):
        return await asyncio.shield(self.start())

    async def execute(self, code, variables, emit):
        """Runs code and emits its events. Cancelled, it interrupts the kernel and keeps its turn until that has stopped."""
        async with self._turn:
            kernel = await self.ready()
            before, after = languages.variables_code(self.language, variables)
            try:
                try:
                    if before:
                        await kernel.run_silently(before)
                    await kernel.run(code, emit)
                finally:
                    if after:
                        await kernel.run_silently(after)
            except KernelGone as error:
                await emit(error.event())
            await emit({"type": "end_of_execution"})

    async def stop(self):
        task, self._starting = self._starting, None
        if task is None:
            return
        try:
            kernel = await task
        except CannotStart:
            return
        await kernel.stop()

    async def restart(self):
        # An execution that is going on ends with its kernel.
        await self.stop()
        await self.ready()


class Contexts:
    def __init__(self, environment, home, private):
        self._environment = environment
        self._home = home
        self._private = private
        self._contexts = {}
        self._defaults = {}

    def prestart(self):
        """E2B's default contexts are there from the start. Python's kernel nearly so, JavaScript's at its first use."""
        self._default("python").start()
        if languages.is_installed("javascript"):
            self._default("javascript")

    def all(self):
        return list(self._contexts.values())

    def get(self, context_id):
        if context_id not in self._contexts:
            raise NotFound(f"Context {context_id} not found")
        return self._contexts[context_id]

    async def for_execution(self, body):
        """The context that a call to execute names, its kernel ready."""
        context_id, language = body.get("context_id"), body.get("language")
        if not isinstance(body.get("code"), str):
            raise BadRequest("code: must be a string")
        variables = body.get("env_vars") or {}
        if not isinstance(variables, dict) or not all(
            languages.is_name(key) and isinstance(value, str) for key, value in variables.items()
        ):
            raise BadRequest("env_vars: must be an object of names and strings")
        if context_id and language:
            raise BadRequest("Only one of context_id or language can be provided")
        context = self.get(context_id) if context_id else self._default(languages.normalize(language))
        await context.ready()
        return context

    async def create(self, language, cwd):
        if cwd is not None and not isinstance(cwd, str):
            raise BadRequest("cwd: must be a string")
        cwd = os.path.join(self._home, cwd or "")
        cwd = cwd.rstrip("/") or "/"
        if not os.path.isdir(cwd):
            raise BadRequest(f"cwd: '{cwd}' is no directory; make it first")
        context = Context(languages.normalize(language), cwd, self._launch)
        await context.ready()
        self._contexts[context.id] = context
        return context

    async def delete(self, context_id):
        context = self.get(context_id)
        del self._contexts[context_id]
        self._defaults = {name: one for name, one in self._defaults.items() if one is not context}
        await context.stop()

    def _default(self, language):
        if language not in self._defaults:
            languages.kernel_name(language)
            context = Context(language, self._home, self._launch)
            self._defaults[language] = self._contexts[context.id] = context
        return self._defaults[language]

    def _launch(self, context):
        return Kernel.start(context.language, context.cwd, self._environment, self._private)
