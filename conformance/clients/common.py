"""What the tests with boto3 have in common."""

import time

from botocore.exceptions import ClientError


def refused(code, call, **arguments):
    """The error with which a call is refused, which has this code."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{found} instead of {code}: {error}"
        return error
    raise AssertionError(f"{call} was not refused with {code}")


def until(what, check, seconds=30, seen=None):
    """What `check` says, once that is something; `seen` is shown if it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {seconds} s: {seen}")
