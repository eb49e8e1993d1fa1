"""Does everything once that becoming a function and answering an event will do, on nobody's behalf.

A parked environment has time for it. Afterwards what an invocation touches is in memory: code is
specialised, caches are filled, and the pages that a fork shares until it writes to them are its own.
Nothing may be left behind that a function could see.
"""

import os
import sys

from . import compiled, context, encode, handler, logs
from .jsontext import decode

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
    for name, value in environment.items():
        os.environ[name] = value
    context.configure(os.environ)
    encode.configure(os.environ)
    handler.set_up_path(_ROOT)
    os.chdir(_ROOT)
    compiled.hold(_ROOT + "/" + _MODULE + ".py")
    found, _, _ = handler.load(_MODULE + ".handler", _ROOT)
    for _ in range(events):
        header = decode(_HEADER)
        os.environ["_X_AMZN_TRACE_ID"] = header["trace"]
        logs.request_id = header["id"]
        encode.to_json(found(decode(_EVENT), context.LambdaContext(header)))
    logs.request_id = None
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
    compiled.forget()
