"""Errors as the caller of the function receives them, and as its log shows them."""

import time

from . import encode, logs, output
from .handler import Fault

_OURS = "/var/runtime/python/"
# Lambda indents its tracebacks with this, which log viewers do not strip.
_NO_BREAK_SPACE = "\u00a0"


def describe(error, request_id=""):
    """The error document of an exception."""
    if isinstance(error, Fault):
        return _document(error.message, error.error_type, request_id, error.trace)
    import traceback

    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    # The runtime's own frames come first, and say nothing to the function's author.
    while frames and frames[0][0].startswith(_OURS):
        del frames[0]
    trace = traceback.format_list(frames)
    return _document(str(error), type(error).__name__, request_id, trace)


def _document(message, error_type, request_id, trace):
    return {
        "errorMessage": message or "",
        "errorType": error_type or "",
        "requestId": request_id,
        "stackTrace": trace or [],
    }


def log(document):
    """Writes an error document into the function's log, as one event."""
    if logs.is_json:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        event = {"timestamp": at, "level": "ERROR"}
        event.update(document)
        output.log(encode.to_json(event, "backslashreplace").decode())
        return
    head = "[ERROR]"
    if document["errorType"]:
        head += " " + document["errorType"]
    if document["errorMessage"]:
        head += (": " if document["errorType"] else " ") + document["errorMessage"]
    lines = [head, "Traceback (most recent call last):"]
    for element in document["stackTrace"]:
        lines.extend(_indent(line) for line in element.splitlines() or [""])
    output.log("\n".join(lines))


def frame(document):
    """Header and payload of the frame that reports it."""
    header = encode.to_json({"error_type": document["errorType"]})
    # A file's name in a message need not be UTF-8. Python's escapes of it are JSON's too.
    return header, encode.to_json(document, "backslashreplace")


def _indent(line):
    text = line.lstrip(" ")
    return _NO_BREAK_SPACE * (len(line) - len(text)) + text
