"""Parts of Lambda through boto3: JSON logs, extensions of layers, tenants, tumbling windows, wrappers
and whole policies. Exits non-zero on the first surprise."""

import base64
import io
import json
import zipfile

import boto3
from botocore.exceptions import ClientError
from common import until

ROLE = "arn:aws:iam::000000000000:role/boto3-role"
lam, logs, dynamodb = (boto3.client(name) for name in ("lambda", "logs", "dynamodb"))


def archive(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            made.writestr(info, text)
    return buffer.getvalue()


def create(name, source, **more):
    lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=ROLE,
        Code={"ZipFile": archive({"index.py": source})}, Timeout=30, **more,
    )
    lam.get_waiter("function_active_v2").wait(FunctionName=name)


def invoke(name, event=None, **more):
    payload = json.dumps(event if event is not None else {})
    answer = lam.invoke(FunctionName=name, Payload=payload, **more)
    return answer, json.loads(answer["Payload"].read())


def lines(group):
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{call} was not refused")


LOGGING = """
import logging
def handler(event, context):
    logging.debug("fine")
    logging.info("hello")
"""
create(
    "json", LOGGING,
    LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/mine"},
)
answer, _ = invoke("json", LogType="Tail")
tail = base64.b64decode(answer["LogResult"]).decode()
objects = [json.loads(line) for line in tail.splitlines() if line.startswith("{")]
kinds = [event.get("type", event.get("level")) for event in objects]
assert kinds[-4:] == ["platform.start", "DEBUG", "INFO", "platform.report"], kinds
request = answer["ResponseMetadata"]["RequestId"]
assert objects[-2]["requestId"] == request, objects
until("the log", lambda: [line for line in lines("/mine") if "platform.report" in line], seconds=60)
lam.update_function_configuration(
    FunctionName="json", LoggingConfig={"SystemLogLevel": "WARN", "ApplicationLogLevel": "ERROR"}
)
answer, _ = invoke("json", LogType="Tail")
assert b"platform" not in base64.b64decode(answer["LogResult"])
print("json logs ok")

EXTENSION = """#!/usr/bin/python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    api.request(method, "/2020-01-01/extension/" + path, body, headers)
    answer = api.getresponse()
    return answer, json.loads(answer.read())
events = json.dumps({"events": ["INVOKE", "SHUTDOWN"]})
answer, _ = call("POST", "register", events, Lambda_Extension_Name="watcher")
identity = answer.headers["Lambda-Extension-Identifier"]
while True:
    _, event = call("GET", "event/next", Lambda_Extension_Identifier=identity)
    print("watcher saw", event["eventType"], event.get("shutdownReason", ""), flush=True)
    if event["eventType"] == "SHUTDOWN":
        break
"""
WRAPPER = """#!/bin/sh
export WRAPPED="$(basename "$0")"
exec "$@"
"""
layer = lam.publish_layer_version(
    LayerName="watch", Content={"ZipFile": archive({
        "extensions/watcher": EXTENSION, "wrap": WRAPPER,
    })},
)["LayerVersionArn"]
create(
    "watched", "import os\ndef handler(event, context):\n    return os.environ.get('WRAPPED')\n",
    Layers=[layer], Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}},
)
answer, payload = invoke("watched", LogType="Tail")
assert payload == "wrap", payload
tail = base64.b64decode(answer["LogResult"]).decode()
assert "watcher saw INVOKE" in tail, tail
ready = "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"
until("its line", lambda: ready in lines("/aws/lambda/watched"), seconds=60)
lam.update_function_configuration(FunctionName="watched", Description="another")
group = "/aws/lambda/watched"
until("the end", lambda: "watcher saw SHUTDOWN spindown\n" in lines(group), seconds=60)
print("extensions ok")

create(
    "tenants", "SEEN = []\ndef handler(event, context):\n"
    "    SEEN.append(context.tenant_id)\n    return SEEN\n",
    TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
)
assert invoke("tenants", TenantId="blue")[1] == ["blue"]
assert invoke("tenants", TenantId="green")[1] == ["green"]
assert invoke("tenants", TenantId="blue")[1] == ["blue", "blue"]
message = refused("InvalidParameterValueException", lam.invoke, FunctionName="tenants")
assert message.startswith("The invoked function is enabled with tenancy"), message
print("tenants ok")

arn = lam.get_function_configuration(FunctionName="tenants")["FunctionArn"]
statement = {
    "Sid": "one", "Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com"]},
    "Action": ["lambda:InvokeFunction", "lambda:GetFunction"], "Resource": arn,
}
policy = {"Version": "2012-10-17", "Statement": [statement]}
put = lam.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy))
assert json.loads(put["Policy"])["Statement"] == [statement], put
got = lam.get_resource_policy(ResourceArn=arn)
assert got["RevisionId"] == put["RevisionId"], got
assert json.loads(lam.get_policy(FunctionName="tenants")["Policy"])["Statement"] == [statement]
open_to_all = {**statement, "Principal": "*"}
public = json.dumps({**policy, "Statement": open_to_all})
refused("PublicPolicyException", lam.put_resource_policy, ResourceArn=arn, Policy=public)
refused(
    "PreconditionFailedException", lam.delete_resource_policy, ResourceArn=arn,
    RevisionId="00000000-0000-0000-0000-000000000000",
)
lam.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
refused("ResourceNotFoundException", lam.get_resource_policy, ResourceArn=arn)
print("policies ok")

WINDOWED = """
import json
def handler(event, context):
    count = event["state"].get("count", 0) + len(event["Records"])
    if event["isFinalInvokeForWindow"]:
        print("final", json.dumps([count, event["window"], event["isWindowTerminatedEarly"]]))
    return {"state": {"count": count}}
"""
create("windows", WINDOWED)
stream = dynamodb.create_table(
    TableName="sums",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
)["TableDescription"]["LatestStreamArn"]
lam.create_event_source_mapping(
    FunctionName="windows", EventSourceArn=stream, StartingPosition="TRIM_HORIZON", BatchSize=5,
    TumblingWindowInSeconds=1,
)
for number in range(23):
    dynamodb.put_item(TableName="sums", Item={"id": {"S": str(number)}})


def counted():
    finals = [line for line in lines("/aws/lambda/windows") if line.startswith("final ")]
    return [json.loads(line[len("final "):]) for line in finals]


finals = until("the windows", lambda: sum(it[0] for it in counted()) >= 23 and counted(), seconds=60)
assert sum(count for count, _, _ in finals) == 23, finals
assert not any(early for _, _, early in finals), finals
assert len({window["start"] for _, window, _ in finals}) == len(finals), finals
print("windows ok")
