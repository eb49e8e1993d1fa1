"""Finds the function's handler, and says where the time went."""

import builtins
import os
import sys
import time

from . import compiled


class Fault(Exception):
    """An error that has a name of Lambda's own."""

    def __init__(self, error_type, message, trace=None):
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace


def set_up_path(task_root):
    """Lambda's module search path; the host's own packages are not on it."""
    runtime = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    first = [task_root, *_layer_folders(), "/opt/python", "/var/runtime"]
    rest = [path for path in sys.path if path != runtime and path not in first]
    # Last, what a pack brings: what the function or a layer has of the same is used instead.
    sys.path[:] = first + rest + ["/var/runtime/packages"]


def _layer_folders():
    """Where layers have packages: under the version that the function asked for, which may not be
    the one that runs it, and under that one."""
    running = "python%d.%d" % sys.version_info[:2]
    asked = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("AWS_Lambda_")[2]
    versions = [running] if asked in ("", running) else [asked, running]
    return ["/opt/python/lib/" + version + "/site-packages" for version in versions]


def set_up_builtins():
    """`exit` and `quit`, which the `site` module would have defined, had it been loaded."""
    if not hasattr(builtins, "exit"):
        from _sitebuiltins import Quitter

        builtins.exit = Quitter("exit", "Ctrl-D (i.e. EOF)")
        builtins.quit = Quitter("quit", "Ctrl-D (i.e. EOF)")


def load(name, task_root):
    """The handler, and the microseconds spent on reading code and on running its top level."""
    compiled.install(task_root)
    before, started = compiled.seconds_spent(), time.perf_counter()
    handler = _load(name, task_root)
    total = time.perf_counter() - started
    code = compiled.seconds_spent() - before
    return handler, int(code * 1e6), int((total - code) * 1e6)


def _load(name, task_root):
    module_name, dot, function = name.rpartition(".")
    if not dot:
        message = "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name
        raise Fault("Runtime.MalformedHandlerName", message)
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % module_name
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        import_name = module_name.replace("/", ".")
        if not compiled.load_first(import_name, task_root):
            __import__(import_name)
        module = sys.modules[import_name]
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (module_name, error)
        raise Fault("Runtime.ImportModuleError", message)
    except SyntaxError as error:
        message = "Syntax error in module '%s': %s" % (module_name, error)
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        raise Fault("Runtime.UserCodeSyntaxError", message, trace)
    try:
        return getattr(module, function)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function, module_name)
        raise Fault("Runtime.HandlerNotFound", message)
