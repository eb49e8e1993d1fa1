"""JSON, straight from the interpreter's own C code.

The `json` package takes regular expressions and enumerations with it, which would more than double
the time until a small function is ready. Where the C code is not as expected, and for the words of
an error, the package is used after all.
"""

_WHITESPACE = " \t\n\r"


class _Options:
    """What the C scanner wants to know."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "-Infinity": float("-inf"),
        "Infinity": float("inf"),
        "NaN": float("nan"),
    }.__getitem__
    memo = {}


def _scanner():
    try:
        from _json import make_scanner

        scan = make_scanner(_Options)
        if scan('{"a": [1]}', 0) == ({"a": [1]}, 10):
            return scan
    except Exception:
        pass
    return None


def _writer():
    try:
        from _json import encode_basestring, encode_basestring_ascii, make_encoder

        def write(value, default, ascii_only):
            text = encode_basestring_ascii if ascii_only else encode_basestring
            encode = make_encoder({}, default, text, None, ": ", ", ", False, False, True)
            return "".join(encode(value, 0))

        if write({"a": [1, "é"]}, None, True) == '{"a": [1, "\\u00e9"]}':
            return write
    except Exception:
        pass
    return None


_scan = _scanner()
_write = _writer()


def decode(data):
    """The value of UTF-8 JSON text. Raises what `json.loads` raises."""
    text = data.decode()
    try:
        start = len(text) - len(text.lstrip(_WHITESPACE))
        value, end = _scan(text, start)
        if end == len(text) or not text[end:].strip(_WHITESPACE):
            return value
    except Exception:
        pass
    import json

    return json.loads(text)


def encode(value, default, ascii_only):
    """A value as JSON text. `default` turns what JSON has no form for into something else."""
    if _write is not None:
        return _write(value, default, ascii_only)
    import json

    return json.dumps(value, default=default, ensure_ascii=ascii_only)
