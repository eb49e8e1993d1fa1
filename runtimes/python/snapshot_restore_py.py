"""Runtime hooks of SnapStart, as functions register them.

The interface of AWS's library of this name, which its Python runtimes have built in.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

_before_snapshot = []
_after_restore = []


def register_before_snapshot(func, *args, **kwargs):
    """Has `func` called before the snapshot is taken, the last registered first. A decorator too."""
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Has `func` called after each restore, the first registered first. A decorator too."""
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot():
    """What is registered: triples of callable, arguments and keyword arguments."""
    return _before_snapshot


def get_after_restore():
    """What is registered: triples of callable, arguments and keyword arguments."""
    return _after_restore
