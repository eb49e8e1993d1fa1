"""The life of a Python environment: boot, become a function, answer events."""

import os
import sys
import time

from . import compiled, context, encode, errors, frames, handler, logs, output
from .handler import Fault
from .jsontext import decode

# Of the event before, as the environment variable has it.
_trace = None
# That every process starts with, and no function has chosen.
_TIME_ZONE = ":UTC"


def main():
    output.install()
    logs.install()
    handler.set_up_builtins()
    if sys.argv[1:] == ["zygote"]:
        del sys.argv[1:]
        from . import zygote

        zygote.serve()
    frames.keep_from_programs()
    output.keep_from_programs()
    frames.send(frames.BOOTED)
    # Until here nothing is any function's.
    kind, header, _ = frames.receive()
    while kind in _GENERIC:
        _GENERIC[kind](decode(header))
        kind, header, _ = frames.receive()
    if kind != frames.SPECIALISE:
        raise RuntimeError("expected to be told a function, got a frame of kind %d" % kind)
    function = decode(header)
    _answer_events(become(function), function["task_root"])


def _rehearse(function):
    from . import rehearsal

    rehearsal.run(function["environment"])
    frames.send(frames.BOOTED)


# What a process does that is no function yet.
_GENERIC = {
    frames.COMPILE: lambda header: compiled.compile_all(header["task_root"]),
    frames.REHEARSE: _rehearse,
}


def become(function):
    """Turns this process into the function, and returns its handler."""
    environment = function["environment"]
    for name, value in environment.items():
        os.environ[name] = value
    if environment.get("TZ") != _TIME_ZONE:
        time.tzset()
    context.configure(os.environ)
    encode.configure(os.environ)
    logs.configure(os.environ)
    handler.set_up_path(function["task_root"])
    os.chdir(function["task_root"])
    try:
        found, code_us, init_us = handler.load(function["handler"], function["task_root"])
    except Exception as error:
        document = errors.describe(error)
        errors.log(document)
        output.flush()
        frames.send(frames.INIT_ERROR, *errors.frame(document))
        sys.exit(1)
    if function.get("hooks"):
        from . import snapshot

        snapshot.do_without()
    output.flush()
    frames.send(frames.READY, b'{"code_us":%d,"init_us":%d}' % (code_us, init_us))
    return found


def _answer_events(function, task_root):
    while True:
        kind, header, event = frames.receive()
        if kind == frames.SNAPSHOT:
            from . import snapshot

            snapshot.take(task_root)
            continue
        answer(function, decode(header), event)
        # It may not outlive the invocation in a frozen environment.
        event = None


def answer(function, header, event):
    """Has the function answer one event."""
    global _trace
    request_id = logs.request_id = header["id"]
    logs.tenant_id = header.get("tenant_id")
    trace = header.get("trace")
    if trace != _trace:
        _trace = trace
        if trace is None:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        else:
            os.environ["_X_AMZN_TRACE_ID"] = trace
    try:
        result = marshal(function(unmarshal(event), context.LambdaContext(header)))
    except Exception as error:
        document = errors.describe(error, request_id)
        errors.log(document)
        output.flush()
        frames.send(frames.ERROR, *errors.frame(document))
    else:
        output.flush()
        frames.send(frames.RESPONSE, b"", result)


def forget():
    """Undoes what was remembered of an event."""
    global _trace
    _trace = logs.request_id = logs.tenant_id = None


def unmarshal(event):
    """What the handler gets."""
    try:
        return decode(event)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error)


def marshal(result):
    """What the caller gets."""
    if isinstance(result, bytes):
        return result
    try:
        return encode.to_json(result)
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)
