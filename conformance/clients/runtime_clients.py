"""One set of functions on AWS's runtime client for Python, as a custom runtime, and on Kagero's own:
what they answer and what they log must be alike. Exits non-zero where it is not."""

import os
import re
import sys

from runtime_clients_common import Clients

RUNTIME = "python%d.%d" % sys.version_info[:2]

try:
    import awslambdaric
except ImportError:
    print("skipped: awslambdaric is not installed")
    sys.exit()
PACKAGES = os.path.dirname(os.path.dirname(awslambdaric.__file__))
CLIENT = ("awslambdaric/", "runtime_client.", "simplejson/", "snapshot_restore_py.py")

APP = '''
import decimal, logging, sys
from collections import namedtuple

Point = namedtuple("Point", "x y")

class Mine(Exception):
    pass

def results(event, context):
    return {
        "text": "\\u00e9\\u4e16", "int": 2 ** 70, "float": 1e22, "decimal": decimal.Decimal("1.10"),
        "point": Point(1, 2), "list": (1, None, True), 7: "key", "empty": {}, "event": event,
    }

def scalar(event, context):
    return event["value"]

def raises(event, context):
    def inner():
        raise Mine("what\\nhappened")
    inner()

def raises_nothing(event, context):
    raise ValueError()

def raises_from(event, context):
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("second") from error

def not_json(event, context):
    return object()

def circular(event, context):
    found = []
    found.append(found)
    return found

def leaves(event, context):
    return {
        "id": len(context.aws_request_id), "name": context.function_name,
        "version": context.function_version, "memory": context.memory_limit_in_mb,
        "group": context.log_group_name, "identity": str(context.identity),
        "tenant": context.tenant_id, "client": context.client_context.custom
        if context.client_context else None, "left": context.get_remaining_time_in_millis() > 0,
    }

def logs(event, context):
    logging.getLogger().setLevel(logging.DEBUG)
    logger = logging.getLogger("mine.inner")
    logger.debug("low %s", 1)
    logger.warning("two\\nlines")
    logger.info("with more", extra={"order": 7, "skip": None})
    logging.log(35, "in between")
    print("printed")
    context.log("from the context\\n")
    try:
        1 / 0
    except ZeroDivisionError:
        # Last: AWS's client ends its event with it only where it may write events.
        logging.exception("caught")

def exits(event, context):
    sys.exit(3)
'''
FILES = {
    "app.py": APP,
    "broken.py": "def handler(event, context)\n    pass\n",
    "absent.py": "import nowhere\ndef handler(event, context):\n    pass\n",
    "fails.py": "raise LookupError('at once')\n",
}
CASES = [
    ("app.results", {"a": [1, 2.5, "\u00e9"]}),
    ("app.scalar", {"value": None}),
    ("app.scalar", {"value": "text"}),
    ("app.scalar", {"value": 1.0}),
    ("app.raises", {}),
    ("app.raises_nothing", {}),
    ("app.raises_from", {}),
    ("app.not_json", {}),
    ("app.circular", {}),
    ("app.leaves", {}),
    ("app.logs", {}),
    ("app.missing", {}),
    ("broken.handler", {}),
    ("absent.handler", {}),
    ("fails.handler", {}),
    ("nowhere.handler", {}),
    ("nodot", {}),
    ("sys.handler", {}),
]


def client():
    files = {}
    for folder, _, names in os.walk(PACKAGES):
        for name in names:
            path = os.path.join(folder, name)
            short = os.path.relpath(path, PACKAGES)
            if short.startswith(CLIENT) and "__pycache__" not in short:
                with open(path, "rb") as file:
                    files[short] = file.read()
    # Without the packages of the host, as Kagero's own does it, and with the same search path.
    files["bootstrap"] = (
        "#!/bin/sh\nexec /usr/bin/python3 -s -B -m awslambdaric \"$_HANDLER\"\n"
    )
    return files


def without_imports(text):
    """Without the frames of the import of the handler's module, which Kagero's client leaves out."""
    frame = r'  File \\?"[^"]*importlib[^"]*", line \d+, in \w+(\\n    return _boot[^"]*)?\\n'
    text = re.sub('"' + frame + '", ', "", text)
    return None if re.search(r'^\W*(File ".*importlib|return _bootstrap)', text) else text


Clients(RUNTIME, client(), FILES, without_imports).compare(CASES)
