"""Answers with a greeting and the event it was called with."""

import json


def handler(event, context):
    print(f"{context.function_name} has {context.get_remaining_time_in_millis()} ms left")
    body = {"message": f"Hello, {event.get('name', 'stranger')}!", "event": event}
    return {"statusCode": 200, "body": json.dumps(body)}
