"""Loads what every function needs, and then only forks; see crates/sandbox/forker.

What is loaded here no environment loads again, and its memory is shared by all of them. Nothing of
any function may be: a zygote outlives them and has more rights than they.
"""

import gc
import os

# What most functions import, and what is dear to import.
import datetime  # noqa: F401
import json  # noqa: F401
import logging  # noqa: F401

import _kagero_fork

from . import frames, rehearsal


def serve():
    """Returns in each forked process, which then is what a fresh one would be."""
    # Code that has run is specialised, and what it fills on first use is filled: once for all.
    rehearsal.run(events=20)
    gc.collect()
    # A collection in a child would write to what it shares with all others.
    gc.freeze()
    _kagero_fork.serve()
    frames.is_first_process()
    # The directory that was current is the zygote's.
    os.chdir("/")
