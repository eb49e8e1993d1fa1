"""A handler's result as JSON: what Lambda's Python runtime accepts, and how it writes it."""

import os
import sys
from _operator import is_not

from . import jsontext

# Python 3.12 and later answer in UTF-8, earlier ones with escapes, as on Lambda.
_ASCII_RUNTIMES = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11")
_SCALARS = frozenset((str, int, float, bool, type(None)))
_CONTAINERS = frozenset((dict, list, tuple))

_ascii_only = False
# Stands before the number of a Decimal; nothing that a function answers looks like it.
_mark = None


def configure(environment):
    """Chooses the way of the runtime that the function asked for."""
    global _ascii_only
    runtime = environment.get("AWS_EXECUTION_ENV", "").rsplit("python", 1)[-1]
    _ascii_only = runtime in _ASCII_RUNTIMES


def to_json(value, surrogates="strict"):
    """Encodes a value as UTF-8 JSON. Raises what `json.dumps` raises, and what `str.encode` does
    with `surrogates` for text that is not UTF-8."""
    decimals = []

    def default(o):
        # Whoever holds a Decimal has imported the module. Its digits survive as they are: no
        # float could hold them.
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(o, decimal.Decimal):
            if o.is_nan():
                return float("nan")
            decimals.append(str(o))
            return _decimal_mark() + str(len(decimals) - 1)
        if isinstance(o, bytes):
            return o.decode()
        raise TypeError("Object of type %s is not JSON serializable" % type(o).__name__)

    try:
        value = _plain(value)
    except RecursionError:
        # Circular, perhaps: the encoder has the words for it.
        pass
    text = jsontext.encode(value, default, _ascii_only)
    if decimals:
        text = _put_decimals(text, decimals)
    return text.encode("utf-8", surrogates)


def _plain(value):
    """The value with an object for each named tuple and text for keys of bytes, as Lambda has
    them; the value itself, if it has none."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind not in _CONTAINERS:
        fields = getattr(kind, "_asdict", None)
        if callable(fields):
            value = fields(value)
            if not isinstance(value, dict):
                raise TypeError("_asdict() must return a dict, not %s" % type(value).__name__)
    if isinstance(value, dict):
        return _plain_object(value)
    if isinstance(value, (list, tuple)) and not _are_scalars(value):
        items = list(map(_plain, value))
        return items if any(map(is_not, items, value)) else value
    return value


def _plain_object(value):
    if not _are_scalars(value):
        return {
            key.decode() if isinstance(key, bytes) else key: _plain(item)
            for key, item in value.items()
        }
    if _are_scalars(value.values()):
        return value
    items = list(map(_plain, value.values()))
    return dict(zip(value, items)) if any(map(is_not, items, value.values())) else value


def _are_scalars(values):
    # True of most, and told without a step of the interpreter for each.
    return _SCALARS.issuperset(map(type, values))


def _decimal_mark():
    global _mark
    if _mark is None:
        _mark = "kagero-decimal-%s-" % os.urandom(16).hex()
    return _mark


def _put_decimals(text, decimals):
    first, *pieces = text.split('"' + _mark)
    parts = [first]
    for piece in pieces:
        number, _, rest = piece.partition('"')
        parts.append(decimals[int(number)] + rest)
    return "".join(parts)
