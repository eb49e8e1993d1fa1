"""Everything a function writes through the language: print, logging, context.log, errors.

It goes to the server as records (crates/exec/src/logs/records.rs), in one pipe and therefore in
its true order, each with the instant it was written. Descriptors 1 and 2 stay what they are, for
programs that the function starts.
"""

import io
import os
import struct
import sys
import time
from _thread import RLock

_PIPE = 4
_RECORD = 1
_STDOUT = 2
_STDERR = 3
_RECORD_GOES_ON = 4

_PREFIX = struct.Struct("<IIQ")
# A record up to PIPE_BUF is never mixed with what others write at the same time.
_MOST = 4096 - _PREFIX.size

# Keeps the pieces of a thread's text together. A signal's handler may write in their midst.
_lock = RLock()


class _Between:
    """Keeps what one of several processes writes together."""

    def __init__(self):
        import fcntl

        self._lock = fcntl.lockf
        self._take, self._leave = fcntl.LOCK_EX, fcntl.LOCK_UN
        self._file = os.memfd_create("kagero-log")

    def __enter__(self):
        _lock.acquire()
        self._lock(self._file, self._take)

    def __exit__(self, *_):
        self._lock(self._file, self._leave)
        _lock.release()


# Among several processes.
_between = None


def _write(kind, text):
    now = int(time.time() * 1000)
    size = len(text)
    with _between or _lock:
        if size <= _MOST:
            os.write(_PIPE, _PREFIX.pack(kind, size, now) + text)
            return
        piece = _RECORD_GOES_ON if kind == _RECORD else kind
        for at in range(0, size, _MOST):
            part = text[at : at + _MOST]
            last = at + _MOST >= size
            os.write(_PIPE, _PREFIX.pack(kind if last else piece, len(part), now) + part)


def log(text):
    """Writes one log event, however many lines the text has."""
    _write(_RECORD, text.encode("utf-8", "backslashreplace"))


class _Stream(io.RawIOBase):
    """The bytes below `sys.stdout` or `sys.stderr`."""

    def __init__(self, kind, descriptor, name):
        super().__init__()
        self._kind = kind
        self._descriptor = descriptor
        # An unfinished line, where others would go on with it.
        self._line = b""
        self.name = name
        self.mode = "wb"

    def write(self, data):
        data = bytes(data)
        if data and _between is None:
            _write(self._kind, data)
        elif data:
            lines = (self._line + data).splitlines(True)
            self._line = b"" if lines[-1].endswith(b"\n") else lines.pop()
            for line in lines:
                _write(_RECORD, line)
        return len(data)

    def end_line(self):
        """Writes out what lacks its end."""
        line, self._line = self._line, b""
        if line:
            _write(_RECORD, line)

    def writable(self):
        return True

    def fileno(self):
        return self._descriptor


def _text(kind, descriptor, name):
    stream = _Stream(kind, descriptor, name)
    return io.TextIOWrapper(
        stream, encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


def _new_lock():
    # A fork may have happened while another thread was writing.
    global _lock
    _lock = RLock()


def install():
    """Makes print and sys.stderr write records."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_new_lock)
    sys.stdout = sys.__stdout__ = _text(_STDOUT, 1, "<stdout>")
    sys.stderr = sys.__stderr__ = _text(_STDERR, 2, "<stderr>")


def share():
    """Several processes are about to write, each its own lines."""
    global _between
    _between = _Between()


def keep_from_programs():
    """The pipe is this process's own."""
    os.set_inheritable(_PIPE, False)


def flush():
    """Writes out what was printed without a line end."""
    # A function may have put something else there, or nothing.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            if _between is not None:
                stream.buffer.end_line()
        except Exception:
            pass
