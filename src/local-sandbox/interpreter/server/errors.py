class Ended(Exception):
    """Ends an execution, whose client is told why."""

    def event(self):
        return {"type": "error", "name": type(self).__name__, "value": str(self), "traceback": str(self)}


class CannotStart(Ended):
    """There is no kernel for the execution."""


class KernelGone(Ended):
    """The kernel ended in the middle of an execution."""
