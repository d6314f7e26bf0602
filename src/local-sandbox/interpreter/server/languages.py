"""What differs from language to language."""

import json
import os
import re
import shlex

from jupyter_client.kernelspec import KernelSpecManager

from errors import CannotStart

_ALIASES = {"js": "javascript", "ts": "typescript"}
_KERNELS = {"python": "python3", "javascript": "javascript", "typescript": "typescript", "bash": "bash"}


def normalize(language):
    name = str(language or "python").strip().lower()
    return _ALIASES.get(name, name)


def kernel_name(language):
    """The installed kernel of a language. Raises CannotStart, naming those that there are."""
    installed = KernelSpecManager().find_kernel_specs()
    name = _KERNELS.get(language, language)
    if name not in installed:
        there = ", ".join(sorted(key for key, value in _KERNELS.items() if value in installed))
        raise CannotStart(f"language: no kernel for '{language}' is installed in this sandbox; there is {there}")
    return name


def arguments(language):
    return ["--HistoryManager.enabled=False"] if language == "python" else []


def environment(language, private):
    """Further variables of the kernel: its profile is not to be in the user's home."""
    return {"IPYTHONDIR": f"{private}/ipython"} if language == "python" else {}


def startup_code(language):
    if language != "python":
        return None
    with open(os.path.join(os.path.dirname(__file__), "python_startup.py"), encoding="utf8") as file:
        return file.read()


def is_name(text):
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) is not None


def variables_code(language, variables):
    """Code that sets environment variables for one execution, and code that puts back what was there before."""
    if not variables:
        return None, None
    if language == "python":
        # As a literal, JSON in JSON: no text of the caller's is ever read as Python.
        literal = json.dumps(json.dumps(variables))
        return f"get_ipython().holdfast_set_variables({literal})", "get_ipython().holdfast_restore_variables()"
    if language == "bash":
        names = " ".join(variables)
        exports = "; ".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
        before = f'__holdfast_variables="$(declare -p {names} 2>/dev/null)"; {exports}'
        return before, f'unset {names}; eval "$__holdfast_variables"; unset __holdfast_variables'
    raise CannotStart(f"env_vars: can't be set for one execution of '{language}'; give them at create")
