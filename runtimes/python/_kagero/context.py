"""The context object that handlers receive.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

import time

from . import jsontext, output
from .handler import Fault


class _Record:
    """An object with a fixed set of attributes, None where nothing is known."""

    __slots__ = ()

    def __init__(self, values=None):
        for name in self.__slots__:
            setattr(self, name, values.get(name) if values else None)

    def __repr__(self):
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class CognitoIdentity(_Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Record):
    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Record):
    __slots__ = ("custom", "env", "client")


# What is the same for every invocation, in the order of the variables.
_VARIABLES = (
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
)
_function = (None,) * len(_VARIABLES)


class LambdaContext:
    def __init__(self, header):
        (
            self.function_name,
            self.function_version,
            self.memory_limit_in_mb,
            self.log_group_name,
            self.log_stream_name,
        ) = _function
        self.aws_request_id = header["id"]
        self.invoked_function_arn = header["arn"]
        self._epoch_deadline_time_in_ms = header["deadline_ms"]
        self.client_context = _client_context(_parse(header, "client_context", "Client Context"))
        self.tenant_id = header.get("tenant_id")
        self.identity = _identity(_parse(header, "cognito_identity", "Cognito Identity"))

    def get_remaining_time_in_millis(self):
        remaining = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return remaining if remaining > 0 else 0

    def log(self, message):
        output.log(str(message))

    def __repr__(self):
        names = (
            "aws_request_id",
            "log_group_name",
            "log_stream_name",
            "function_name",
            "memory_limit_in_mb",
            "function_version",
            "invoked_function_arn",
            "client_context",
            "identity",
            "tenant_id",
        )
        fields = ",".join(f"{name}={getattr(self, name)}" for name in names)
        return f"LambdaContext([{fields}])"


def configure(environment):
    """Takes what holds for every invocation from the environment variables."""
    global _function
    _function = tuple(map(environment.get, _VARIABLES))


def _parse(header, field, name):
    text = header.get(field)
    if text is None:
        return None
    try:
        return jsontext.decode(text.encode())
    except Exception as error:
        message = "Unable to parse %s JSON: %s" % (name, error)
        raise Fault("Runtime.LambdaContextUnmarshalError", message)


def _client_context(values):
    if values is None:
        return None
    context = ClientContext(values)
    context.client = None if context.client is None else Client(context.client)
    return context


def _identity(values):
    identity = CognitoIdentity()
    if values is not None:
        identity.cognito_identity_id = values.get("cognitoIdentityId")
        identity.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")
    return identity
