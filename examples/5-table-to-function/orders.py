"""One function writes orders to a table; another reacts to the table's stream."""

import json
import os
import urllib.request


def put_item(table, item):
    # As an AWS SDK would; the request needs no signature, since the endpoint inside the sandbox is
    # this function's own.
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"],
        data=json.dumps({"TableName": table, "Item": item}).encode(),
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810.PutItem",
        },
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()


def write(event, context):
    for number in range(1, event["orders"] + 1):
        item = {"id": {"S": f"order-{number}"}, "total": {"N": str(number * 10)}}
        put_item(event["table"], item)
    return {"written": event["orders"]}


def react(event, context):
    for record in event["Records"]:
        change = record["dynamodb"]
        order = change["Keys"]["id"]["S"]
        if record["eventName"] == "REMOVE":
            print(f"{order} was cancelled")
        else:
            print(f"{order} came to {change['NewImage']['total']['N']}")
