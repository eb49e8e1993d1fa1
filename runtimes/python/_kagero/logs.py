"""The root logger's handler, as Lambda sets it up; installed when `logging` is first imported."""

import sys
import time

from . import output

_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"

_LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL")

# The id of the invocation under way, and the tenant that it is for.
request_id = None
tenant_id = None

# How the function asked for its log, once this process is a function.
is_json = False
_level = None
_handler = None


class _LoggingFinder:
    """Finds `logging` as usual, and sets the handler up right after it has been loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(_LoggingFinder)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _LoggingLoader(spec.loader)
                return spec
        return None


class _LoggingLoader:
    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _set_up(module)


def _set_up(logging):
    class LambdaLoggerHandler(logging.Handler):
        log_sink = output

        def emit(self, record):
            try:
                output.log(self.format(record))
            except Exception:
                self.handleError(record)

    class LambdaLoggerFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = request_id or ""
            record.tenant_id = tenant_id
            return True

    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(LambdaLoggerFilter())
    logging.getLogger().addHandler(handler)
    global _handler
    _handler = handler
    _configure(logging)


def _configure(logging):
    if is_json:
        from .jsonlogs import JsonFormatter

        _handler.setFormatter(JsonFormatter())
    if _level is not None:
        logging.getLogger().setLevel(_level)


def configure(environment):
    """Takes format and level from the environment variables."""
    global is_json, _level
    is_json = environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    level = environment.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level)
    _level = level if level in _LEVELS else None
    if _handler is not None and (is_json or _level is not None):
        _configure(sys.modules["logging"])


def install():
    """Sets the handler up now, or as soon as `logging` is imported."""
    if "logging" in sys.modules:
        _set_up(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, _LoggingFinder)
