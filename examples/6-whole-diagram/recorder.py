"""Whatever starts it, it writes what it was told to a bucket, and to a table what started it."""

import json
import os
import urllib.request


def send(method, path, body, **headers):
    # As an AWS SDK would; the request needs no signature, since the endpoint inside the sandbox is
    # this function's own.
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    url = os.environ["AWS_ENDPOINT_URL"] + path
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
        answer.read()


def cause(event):
    """What started the function, and what it was told."""
    if "requestContext" in event:
        return "http", event["body"]
    if "Records" not in event:
        return "schedule", event["task"]
    record = event["Records"][0]
    if record["eventSource"] == "aws:sqs":
        return "sqs", record["body"]
    return "s3", record["s3"]["object"]["key"]


def handler(event, context):
    source, told = cause(event)
    result = json.dumps({"source": source, "told": told, "request": context.aws_request_id})
    send("PUT", f"/{os.environ['BUCKET']}/{source}.json", result.encode(),
         content_type="application/json")
    item = {"source": {"S": source}, "told": {"S": told}, "object": {"S": f"{source}.json"}}
    send("POST", "/", json.dumps({"TableName": os.environ["TABLE"], "Item": item}).encode(),
         content_type="application/x-amz-json-1.0", x_amz_target="DynamoDB_20120810.PutItem")
    return {"statusCode": 201, "body": f"{source} is written down\n"}
