class CannotStart(Exception):
    """Why there is no kernel, for the caller to read."""


class KernelGone(Exception):
    """The kernel ended in the middle of an execution."""

    def event(self):
        return {"type": "error", "name": "KernelGone", "value": str(self), "traceback": str(self)}
