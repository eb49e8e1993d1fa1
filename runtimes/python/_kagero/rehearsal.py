"""Does everything once that becoming a function and answering an event will do, on nobody's behalf.

A parked environment has time for it. Afterwards what an invocation touches is in memory: code is
specialised, caches are filled, and the pages that a fork shares until it writes to them are its own.
Nothing may be left behind that a function could see.
"""

import os
import sys

from . import compiled, context, encode, frames, logs, loop

_ROOT = "/var/runtime/python/rehearsal"
_MODULE = "_kagero_rehearsal"
_IMPORTED = "_kagero_rehearsed"
_EVENT = b'{"key1": "value1", "key2": [1, 2.5, true, null], "key3": {"nested": "value"}}'
_HEADER = b'{"id": "rehearsal", "deadline_ms": 1, "arn": "rehearsal", "trace": "rehearsal"}'
# Those that the runtime itself reads.
_ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_FUNCTION_NAME": "rehearsal",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_LOG_GROUP_NAME": "rehearsal",
    "AWS_LAMBDA_LOG_STREAM_NAME": "rehearsal",
}


def run(environment=_ENVIRONMENT, events=1):
    """Takes what a function will be told: the same variables, with other values."""
    before = dict(os.environ)
    path, hooks = list(sys.path), list(sys.path_hooks)
    compiled.hold(_ROOT + "/" + _MODULE + ".py")
    with _Server() as server:
        handler = loop.become(
            {
                "environment": environment,
                "task_root": _ROOT,
                "handler": _MODULE + ".handler",
            }
        )
        server.hear()
        for _ in range(events):
            server.answer(handler)
    loop.forget()
    os.chdir("/")
    sys.path[:], sys.path_hooks[:] = path, hooks
    sys.modules.pop(_MODULE, None)
    sys.modules.pop(_IMPORTED, None)
    # Of what had no layers it is remembered that they are not there.
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith((_ROOT, "/opt"))]:
        del sys.path_importer_cache[entry]
    for name in [name for name in os.environ if name not in before]:
        del os.environ[name]
    os.environ.update(before)
    context.configure(os.environ)
    encode.configure(os.environ)
    logs.configure(os.environ)
    compiled.forget()


class _Server:
    """A pipe in the server's place: what is sent is read by nobody else."""

    def __enter__(self):
        self._out, self._in = os.pipe()
        frames.speak_to(self._in)
        return self

    def __exit__(self, *_):
        frames.speak_to()
        os.close(self._out)
        os.close(self._in)

    def hear(self):
        os.read(self._out, 65536)

    def answer(self, handler):
        frames.send(frames.INVOKE, _HEADER, _EVENT)
        frames.speak_to(self._out)
        _, header, event = frames.receive()
        frames.speak_to(self._in)
        loop.answer(handler, loop.decode(header), event)
        self.hear()
