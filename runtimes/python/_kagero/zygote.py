"""Loads what every function needs, and then only forks; see crates/sandbox/forker.

What is loaded here no environment loads again, and its memory is shared by all of them. Nothing of
any function may be: a zygote outlives them and has more rights than they.
"""

import gc
import os
import sys
import types

# What most functions import, and what is dear to import.
import datetime  # noqa: F401
import json  # noqa: F401
import logging
import threading

import _kagero_fork

from . import frames, rehearsal


def _knows_immortals():
    """Whether this interpreter counts no references to objects that are marked, in the way that the
    module knows: a release build of CPython with its lock."""
    is_known = sys.implementation.name == "cpython" and sys.version_info[:2] in ((3, 12), (3, 13))
    return is_known and not sys.abiflags and sys.maxsize > 2**32


def _everything():
    """Every object that there is, as far as others lead to it."""
    seen = {}
    found = gc.get_objects()
    while found:
        new = {id(one): one for one in found if id(one) not in seen}
        seen.update(new)
        found = gc.get_referents(*new.values())
        for one in new.values():
            # These two lead to more than they tell the collector.
            if isinstance(one, types.CodeType):
                found += one.co_consts, one.co_names, one.co_name, one.co_qualname, one.co_filename
            elif isinstance(one, type):
                found += gc.get_referents(type.__dict__["__dict__"].__get__(one))
    return list(seen.values())


# What the interpreter needs for `bytes`, beside the bytes.
_BYTES = sys.getsizeof(b"")
_fillers = []


def _fill_gaps():
    """Takes the places that are free between objects, a few on each of many pages: what a fork makes
    then lies close together, and no page is copied for it."""
    for size in range(48, 513, 16):
        in_a_row, last = 0, 0
        for _ in range(1000):
            filler = bytes(size - _BYTES)
            _fillers.append(filler)
            in_a_row = in_a_row + 1 if id(filler) == last + size else 0
            last = id(filler)
            if in_a_row * size > 1500:
                # From here on they come from a place of their own.
                break


def _rehearse_fork():
    """What the standard library does in each forked process: its locks are made anew, which in a
    process of one thread changes nothing."""
    for module, name in ((threading, "_after_fork"), (logging, "_after_at_fork_child_reinit_locks")):
        # Nothing that a later version must have.
        getattr(module, name, lambda: None)()


def serve():
    """Returns in each forked process, which then is what a fresh one would be."""
    # Said to the dynamic linker, so that no fork has to look for a symbol.
    os.environ.pop("LD_BIND_NOW", None)
    # Code that has run often is specialised, and what it fills on first use is filled: once for all.
    for _ in range(20):
        rehearsal.run()
        _rehearse_fork()
    gc.collect()
    _fill_gaps()
    if _knows_immortals():
        # Counting references in a child would, too.
        _kagero_fork.immortalise(_everything())
    # A collection in a child would write to what it shares with all others.
    gc.freeze()
    _kagero_fork.serve()
    frames.is_first_process()
    # The directory that was current is the zygote's.
    os.chdir("/")
