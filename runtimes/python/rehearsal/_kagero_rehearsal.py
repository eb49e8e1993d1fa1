"""A function like many: what is loaded and run before there is any."""

import _kagero_rehearsed  # noqa: F401


def handler(event, context):
    context.get_remaining_time_in_millis()
    return {"statusCode": 200, "body": [event, context.aws_request_id], "text": str(event)}
