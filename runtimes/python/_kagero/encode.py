"""A handler's result as JSON: what Lambda's Python runtime accepts, and how it writes it."""

import sys

from . import jsontext

# Python 3.12 and later answer in UTF-8, earlier ones with escapes, as on Lambda.
_ASCII_RUNTIMES = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11")
_MARK = "kagero-decimal-"

_ascii_only = False


def configure(environment):
    """Chooses the way of the runtime that the function asked for."""
    global _ascii_only
    runtime = environment.get("AWS_EXECUTION_ENV", "").rsplit("python", 1)[-1]
    _ascii_only = runtime in _ASCII_RUNTIMES


def to_json(value):
    """Encodes a value as UTF-8 JSON. Raises what `json.dumps` raises."""
    decimals = []

    def default(o):
        # Whoever holds a Decimal has imported the module. Its digits survive as they are: no
        # float could hold them.
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(o, decimal.Decimal):
            if o.is_nan():
                return float("nan")
            decimals.append(str(o))
            return _MARK + str(len(decimals) - 1)
        raise TypeError("Object of type %s is not JSON serializable" % type(o).__name__)

    text = jsontext.encode(value, default, _ascii_only)
    if decimals:
        text = _put_decimals(text, decimals)
    return text.encode()


def _put_decimals(text, decimals):
    first, *pieces = text.split('"' + _MARK)
    parts = [first]
    for piece in pieces:
        number, end, rest = piece.partition('"')
        # A string of the function's own may begin like a mark.
        known = end and number.isdigit() and int(number) < len(decimals)
        parts.append(decimals[int(number)] + rest if known else '"' + _MARK + piece)
    return "".join(parts)
