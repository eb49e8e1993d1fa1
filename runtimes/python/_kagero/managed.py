"""The life of a Python environment that has several events at once: a process for each, with an init of
its own, that speaks the Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html
"""

import mmap
import os
import sys
from http.client import HTTPConnection, HTTPException

from . import context, encode, errors, handler, logs, loop, output

_API = "/2018-06-01/runtime/"
_ID = 36
# The exit code of a worker whose server is gone, which is nobody's fault.
_GONE = 0


def main():
    output.install()
    output.share()
    output.keep_from_programs()
    logs.install()
    handler.set_up_builtins()
    context.configure(os.environ)
    encode.configure(os.environ)
    logs.configure(os.environ)
    handler.set_up_path(os.environ["LAMBDA_TASK_ROOT"])
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    count = int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"])
    # Which invocation each worker has, for when it cannot say so any more.
    current = mmap.mmap(-1, count * _ID)
    workers = {}
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(_work(current, number * _ID))
        workers[pid] = number
    while workers:
        pid, status = os.wait()
        number = workers.pop(pid, None)
        if number is not None:
            _report(current, number * _ID, status)
    # None is left: the environment is of no use any more.
    sys.exit(1)


def _report(current, at, status):
    """Answers for a worker that has ended with an invocation."""
    request_id = current[at : at + _ID].decode()
    if request_id == "\0" * _ID:
        return
    if os.WIFSIGNALED(status):
        how = "signal: %d" % os.WTERMSIG(status)
    else:
        how = "exit status %d" % os.WEXITSTATUS(status)
    message = "RequestId: %s Error: Runtime exited with error: %s" % (request_id, how)
    document = {"errorType": "Runtime.ExitError", "errorMessage": message}
    try:
        _Api().post("invocation/%s/error" % request_id, encode.to_json(document))
    except (OSError, HTTPException):
        pass


def _work(current, at):
    """Becomes the function and answers events; the exit code."""
    try:
        function = _become()
        if function is None:
            return 1
        _answer_events(function, current, at)
    except (OSError, HTTPException):
        return _GONE
    except SystemExit as ended:
        code = ended.code
        return code if isinstance(code, int) else int(code is not None)
    finally:
        output.flush()


def _become():
    try:
        found, _, _ = handler.load(os.environ["_HANDLER"], os.environ["LAMBDA_TASK_ROOT"])
    except Exception as error:
        document = errors.describe(error)
        errors.log(document)
        output.flush()
        _Api().post("init/error", encode.to_json(document, "backslashreplace"))
        return None
    output.flush()
    return found


def _answer_events(function, current, at):
    api = _Api()
    while True:
        header, event = api.next()
        request_id = logs.request_id = header["id"]
        logs.tenant_id = header["tenant_id"]
        current[at : at + _ID] = request_id.encode()
        if header["trace"] is None:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        else:
            os.environ["_X_AMZN_TRACE_ID"] = header["trace"]
        try:
            result = loop.marshal(function(loop.unmarshal(event), context.LambdaContext(header)))
            path = "invocation/%s/response" % request_id
        except Exception as error:
            document = errors.describe(error, request_id)
            errors.log(document)
            result = encode.to_json(document, "backslashreplace")
            path = "invocation/%s/error" % request_id
        output.flush()
        api.post(path, result)
        current[at : at + _ID] = bytes(_ID)
        event = result = None


class _Api:
    """A connection to the Runtime API."""

    def __init__(self):
        self._connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def next(self):
        """Waits for the next event: what is told of it, and its payload."""
        self._connection.request("GET", _API + "invocation/next")
        answer = self._connection.getresponse()
        field = answer.getheader
        header = {
            "id": field("Lambda-Runtime-Aws-Request-Id"),
            "arn": field("Lambda-Runtime-Invoked-Function-Arn"),
            "deadline_ms": int(field("Lambda-Runtime-Deadline-Ms")),
            "trace": field("Lambda-Runtime-Trace-Id"),
            "client_context": field("Lambda-Runtime-Client-Context"),
            "cognito_identity": field("Lambda-Runtime-Cognito-Identity"),
            "tenant_id": field("Lambda-Runtime-Aws-Tenant-Id"),
        }
        return header, answer.read()

    def post(self, path, body):
        """Answers. What the server says to that concerns nobody: it has told the caller."""
        self._connection.request("POST", _API + path, body)
        self._connection.getresponse().read()
