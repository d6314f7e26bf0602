"""Kernel messages as events of E2B's stream."""

import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FIELDS = {
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
    "application/vnd.holdfast.data+json": "data",
    "application/vnd.holdfast.chart+json": "chart",
}


def event(message):
    """The event of a message; None where it has none."""
    content = message["content"]
    match message["msg_type"]:
        case "execute_input":
            return {"type": "number_of_executions", "execution_count": content["execution_count"]}
        case "stream":
            date = message["header"]["date"]
            timestamp = date if isinstance(date, str) else date.isoformat()
            return {"type": content["name"], "text": content["text"], "timestamp": timestamp}
        case "execute_result":
            return result(content["data"], True)
        case "display_data":
            return result(content["data"], False)
        case "error":
            return failure(content)
    return None


def failure(content):
    name, value, traceback = content["ename"], content["evalue"], content["traceback"]
    if (value, traceback) == ("Execution failed", []):
        # All that Deno says of code that it can't parse.
        name, value = "SyntaxError", "the code can't be parsed"
    return {
        "type": "error",
        "name": name,
        "value": value,
        "traceback": _COLOURS.sub("", "\n".join(traceback)),
    }


def result(bundle, is_main):
    event = {"type": "result", "extra": {}, "is_main_result": is_main}
    for kind, value in bundle.items():
        if kind == "text/plain":
            event["text"] = unquoted(value)
        elif kind in ("image/png", "image/jpeg", "application/pdf"):
            event[_FIELDS[kind]] = value.strip()
        elif kind in _FIELDS:
            event[_FIELDS[kind]] = value
        else:
            event["extra"][kind] = value
    return event


def unquoted(text):
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


# A kernel gathers all that is printed in a moment; clients search a line from its start with each piece of it that comes.
PART_CHARACTERS = 1 << 16


def parts(event):
    """The event as one or, where much was printed, several that mean the same."""
    text = event.get("text") if event["type"] in ("stdout", "stderr") else None
    if text is None or len(text) <= PART_CHARACTERS:
        return [event]
    starts = range(0, len(text), PART_CHARACTERS)
    return [{**event, "text": text[start : start + PART_CHARACTERS]} for start in starts]
