"""What differs from language to language."""

import json
import os
import re
import shlex

from jupyter_client.kernelspec import KernelSpecManager

from errors import CannotStart

_ALIASES = {"js": "javascript", "ts": "typescript"}
_KERNELS = {"python": "python3", "javascript": "javascript", "typescript": "typescript", "bash": "bash"}
_DENO = ("javascript", "typescript")


def normalize(language):
    name = str(language or "python").strip().lower()
    return _ALIASES.get(name, name)


def kernel_name(language):
    """The installed kernel of a language. Raises CannotStart, naming those that there are."""
    installed = KernelSpecManager().find_kernel_specs()
    name = _KERNELS.get(language, language)
    if name not in installed:
        if language in ("r", "java"):
            raise CannotStart(f"language: '{language}' is E2B's cloud's alone; there is no kernel for it here")
        there = ", ".join(sorted(key for key, value in _KERNELS.items() if value in installed))
        raise CannotStart(f"language: no kernel for '{language}' is installed in this sandbox; there is {there}")
    return name


def is_installed(language):
    return _KERNELS[language] in KernelSpecManager().find_kernel_specs()


def arguments(language):
    return ["--HistoryManager.enabled=False"] if language == "python" else []


def environment(language, private):
    """Further variables of the kernel: its own files are not to be in the user's home."""
    if language == "python":
        return {"IPYTHONDIR": f"{private}/ipython"}
    if language in _DENO:
        return {"DENO_DIR": f"{private}/deno"}
    return {}


def endures_interrupts(language):
    """Whether code can wait in a way that no interrupt ends: Deno ends what runs, but not an await."""
    return language in _DENO


def startup_code(language):
    if language in _DENO:
        # Kept, as the user's code can replace the console's.
        return 'Object.defineProperty(globalThis, Symbol.for("holdfast.print"), { value: console.log })'
    if language != "python":
        return None
    with open(os.path.join(os.path.dirname(__file__), "python_startup.py"), encoding="utf8") as file:
        return file.read()


def print_code(language, text):
    """Code that prints text, for kernels that can be idle before all is told that was printed."""
    return f'globalThis[Symbol.for("holdfast.print")]({json.dumps(text)})' if language in _DENO else None


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
    if language in _DENO:
        # Pairs, and not an object, in which a name could be special.
        pairs = json.dumps(list(variables.items()))
        before = f"""globalThis[Symbol.for("holdfast.variables")] = {pairs}.map(([name, value]) => {{
            const was = Deno.env.get(name); Deno.env.set(name, value); return [name, was]
        }})"""
        after = """globalThis[Symbol.for("holdfast.variables")].forEach(([name, was]) =>
            was === undefined ? Deno.env.delete(name) : Deno.env.set(name, was))"""
        return before, after
    raise CannotStart(f"env_vars: can't be set for one execution of '{language}'; give them at create")
