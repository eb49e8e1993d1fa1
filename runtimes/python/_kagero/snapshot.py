"""SnapStart: the function is kept as it is after its init, and goes on in a fork of it.

See docs/decisions/0011-templates.md. The process that is kept never comes back from its fork: each
environment is a child of that one call, with its own socket, pipe and standard streams in the places
of the old ones.
"""

import gc
import os
import sys
import time

from . import context, encode, errors, frames, output
from .jsontext import decode


def take(task_root):
    """Runs the hooks that come before, and returns in each process that is forked later."""
    _run_hooks("get_before_snapshot", reversed)
    gc.collect()
    if hasattr(gc, "freeze"):
        # A collection in a child would write to what it shares with all others.
        gc.freeze()
    output.flush()
    frames.send(frames.READY)
    frames.receive()
    # The server holds it right here.
    while os.fork():
        pass
    frames.is_first_process()
    _, header, _ = frames.receive()
    _restore(decode(header), task_root)


def _restore(function, task_root):
    for name, value in function["environment"].items():
        os.environ[name] = value
    context.configure(os.environ)
    encode.configure(os.environ)
    os.chdir(task_root)
    if hasattr(time, "tzset"):
        time.tzset()
    started = time.perf_counter()
    _run_hooks("get_after_restore", iter)
    spent = int((time.perf_counter() - started) * 1e6)
    output.flush()
    frames.send(frames.READY, b'{"code_us":0,"init_us":%d}' % spent)


def do_without():
    """Runs the hooks of both sides where there is no snapshot between them."""
    _run_hooks("get_before_snapshot", reversed)
    _run_hooks("get_after_restore", iter)


def _run_hooks(which, order):
    """Those of the library that the function has imported, ours or one in its package."""
    library = sys.modules.get("snapshot_restore_py")
    if library is None:
        return
    try:
        for func, args, kwargs in order(list(getattr(library, which)())):
            func(*args, **kwargs)
    except Exception as error:
        document = errors.describe(error)
        errors.log(document)
        output.flush()
        frames.send(frames.INIT_ERROR, *errors.frame(document))
        sys.exit(1)
