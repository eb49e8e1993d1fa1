"""Log records as JSON, with the fields and in the order of AWS's runtime client.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import json
import logging
import traceback
from datetime import datetime, timezone

_NOT_EXTRA = frozenset(
    (
        "name",
        "msg",
        "args",
        "levelname",
        "levelno",
        "pathname",
        "filename",
        "module",
        "exc_info",
        "exc_text",
        "stack_info",
        "lineno",
        "funcName",
        "created",
        "msecs",
        "relativeCreated",
        "thread",
        "threadName",
        "processName",
        "process",
        "aws_request_id",
        "tenant_id",
    )
)

_encode = json.JSONEncoder(ensure_ascii=False).encode


class JsonFormatter(logging.Formatter):
    def formatTime(self, record, datefmt=None):
        at = datetime.fromtimestamp(record.created, tz=timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def format(self, record):
        # Levels in between count as the next lower one that has a name.
        record.levelno = min(50, max(0, record.levelno)) // 10 * 10
        record.levelname = logging.getLevelName(record.levelno)
        fields = {
            "timestamp": self.formatTime(record),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            kind, error, trace = record.exc_info
            fields["stackTrace"] = traceback.format_tb(trace)
            fields["errorType"] = None if kind is None else kind.__name__
            fields["errorMessage"] = str(error)
        fields["requestId"] = getattr(record, "aws_request_id", None)
        if record.exc_info:
            fields["location"] = "%s:%s:%d" % (record.pathname, record.funcName, record.lineno)
        tenant = getattr(record, "tenant_id", None)
        if tenant is not None:
            fields["tenantId"] = tenant
        for name, value in record.__dict__.items():
            if name not in _NOT_EXTRA and name not in fields:
                fields[name] = value
        return _encode({name: value for name, value in fields.items() if value is not None})
