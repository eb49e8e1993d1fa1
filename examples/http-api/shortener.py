"""A URL shortener: a page, an address to post links to, and the links themselves."""

import base64
import html
import json
import os
import secrets
import urllib.parse
import urllib.request

PAGE = """<!doctype html>
<title>Short links</title>
<h1>Short links</h1>
<form method="post" action="links"><input name="url" placeholder="https://"> <button>Shorten</button></form>
<ul>{links}</ul>
"""


def dynamodb(operation, **members):
    # As an AWS SDK would; the request needs no signature, since the endpoint inside the sandbox is
    # this function's own.
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"],
        data=json.dumps({"TableName": os.environ["TABLE"], **members}).encode(),
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def page(event):
    items = dynamodb("Scan", Limit=100)["Items"]
    links = "".join(
        f'<li><a href="{html.escape(item["id"]["S"])}">{html.escape(item["id"]["S"])}</a> '
        f'{html.escape(item["url"]["S"])}</li>' for item in items)
    return {"statusCode": 200, "headers": {"Content-Type": "text/html; charset=utf-8"},
            "body": PAGE.format(links=links)}


def create(event):
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode()
    if body.startswith("{"):
        url = json.loads(body).get("url", "")
    else:
        url = urllib.parse.parse_qs(body).get("url", [""])[0]
    if urllib.parse.urlparse(url).scheme not in ("http", "https"):
        return {"statusCode": 400, "body": "a link begins with http:// or https://\n"}
    link = secrets.token_urlsafe(4)
    dynamodb("PutItem", Item={"id": {"S": link}, "url": {"S": url}})
    return {"statusCode": 201, "headers": {"Location": link, "Content-Type": "text/plain"},
            "body": link + "\n"}


def follow(event):
    found = dynamodb("GetItem", Key={"id": {"S": event["pathParameters"]["id"]}})
    if "Item" not in found:
        return {"statusCode": 404, "body": "no such link\n"}
    return {"statusCode": 302, "headers": {"Location": found["Item"]["url"]["S"]}}


ROUTES = {"GET /": page, "POST /links": create, "GET /{id}": follow}


def handler(event, context):
    return ROUTES[event["routeKey"]](event)
