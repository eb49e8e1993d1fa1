"""The protocol with the server: frames of kind, header and payload over an inherited socket.

crates/exec/src/frames.rs describes it. Plain system calls on the descriptor, because the `socket`
module alone would cost some milliseconds of every cold start.
"""

import os
import struct

BOOTED = 1
SPECIALISE = 2
READY = 3
INIT_ERROR = 4
INVOKE = 5
RESPONSE = 6
ERROR = 7
COMPILE = 8
COMPILED = 9
REHEARSE = 10
RESTORE = 11
SNAPSHOT = 12
FORK = 13

_INHERITED = 3
_socket = _INHERITED
_PREFIX = struct.Struct("<III")
_READ = 65536

_is_fork = False


def _forked():
    global _is_fork
    _is_fork = True


def is_first_process():
    """Says that this process, though a fork, is the one that the server knows."""
    global _is_fork
    _is_fork = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def keep_from_programs():
    """The socket is this process's own."""
    os.set_inheritable(_socket, False)


def speak_to(descriptor=_INHERITED):
    """Exchanges frames with somebody else, or with the server again."""
    global _socket
    _socket = descriptor


def receive(unpack=_PREFIX.unpack_from, read=os.read, size=_PREFIX.size):
    """The next frame: kind, header and payload. Ends the runtime when the server is gone."""
    received = read(_socket, _READ)
    while len(received) < size:
        received += _more(_READ)
    kind, header_length, payload_length = unpack(received)
    payload_at = size + header_length
    end = payload_at + payload_length
    if len(received) < end:
        received = _rest(received, end)
    return kind, received[size:payload_at], received[payload_at:end]


def send(kind, header=b"", payload=b""):
    """Sends one frame. Ends a process that the function forked and that returned from its handler
    too: one event has one answer, and the next is for one process."""
    if _is_fork:
        os._exit(0)
    prefix = _PREFIX.pack(kind, len(header), len(payload))
    if len(payload) < _READ:
        _write(prefix + header + payload)
    else:
        _write(prefix + header)
        _write(payload)


def _more(size):
    received = os.read(_socket, size)
    if not received:
        os._exit(0)
    return received


def _rest(received, end):
    whole = bytearray(end)
    at = len(received)
    whole[:at] = received
    view = memoryview(whole)
    while at < end:
        read = os.readv(_socket, [view[at:]])
        if read == 0:
            os._exit(0)
        at += read
    view.release()
    return bytes(whole)


def _write(frame):
    written = os.write(_socket, frame)
    if written < len(frame):
        view = memoryview(frame)
        while written < len(frame):
            written += os.write(_socket, view[written:])
