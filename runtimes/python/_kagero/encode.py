"""A handler's result as JSON: what Lambda's Python runtime accepts, and how it writes it."""

import json
import sys

# Python 3.12 and later answer in UTF-8, earlier ones with escapes, as on Lambda.
_ASCII_RUNTIMES = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11")
_MARK = "kagero-decimal-"


class _Encoder(json.JSONEncoder):
    """Takes decimals, whose digits survive as they are: no float could hold them."""

    def __init__(self, ensure_ascii):
        super().__init__(ensure_ascii=ensure_ascii)
        self.decimals = []

    def default(self, o):
        # Whoever holds a Decimal has imported the module.
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(o, decimal.Decimal):
            if o.is_nan():
                return float("nan")
            self.decimals.append(str(o))
            return _MARK + str(len(self.decimals) - 1)
        return super().default(o)


_encoder = _Encoder(False)


def configure(environment):
    """Chooses the way of the runtime that the function asked for."""
    global _encoder
    runtime = environment.get("AWS_EXECUTION_ENV", "").rsplit("python", 1)[-1]
    _encoder = _Encoder(runtime in _ASCII_RUNTIMES)


def to_json(value):
    """Encodes a value as UTF-8 JSON. Raises what json raises."""
    text = _encoder.encode(value)
    if _encoder.decimals:
        decimals, _encoder.decimals = _encoder.decimals, []
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
