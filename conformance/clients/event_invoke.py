"""Asynchronous invocation through boto3: destinations, dead-letter queues, and the configurations
beside them. Exits non-zero on the first surprise."""

import io
import json
import zipfile

import boto3
from common import refused

ROLE = "arn:aws:iam::000000000000:role/boto3-role"
lam, s3, sqs = (boto3.client(name) for name in ("lambda", "s3", "sqs"))


def create(name, source, **more):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    created = lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=ROLE,
        Code={"ZipFile": buffer.getvalue()}, Timeout=30, **more,
    )
    lam.get_waiter("function_active_v2").wait(FunctionName=name)
    return created["FunctionArn"]


def queue(name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, attributes["Attributes"]["QueueArn"]


def received(url):
    for _ in range(3):
        answer = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return message
    raise AssertionError(f"nothing came to {url} within a minute")


def send(name, event):
    answer = lam.invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode()
    )
    assert answer["StatusCode"] == 202, answer


def destinations():
    url, arn = queue("done")
    create("echo", "def handler(event, context):\n    return {'got': event}\n")
    second = create("second", "def handler(event, context):\n    return event['responsePayload']\n")
    lam.put_function_event_invoke_config(
        FunctionName="echo", DestinationConfig={"OnSuccess": {"Destination": second}}
    )
    lam.put_function_event_invoke_config(
        FunctionName="second", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    send("echo", {"n": 1})
    record = json.loads(received(url)["Body"])
    assert record["version"] == "1.0", record
    assert record["requestContext"]["condition"] == "Success", record
    assert record["requestContext"]["functionArn"] == second + ":$LATEST", record
    assert record["responsePayload"] == {"got": {"n": 1}}, record
    inner = record["requestPayload"]
    assert inner["requestPayload"] == {"n": 1}, record
    assert inner["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}, record
    print("destinations ok", flush=True)


def dead_letters():
    failed_url, failed = queue("failed")
    dead_url, dead = queue("dead")
    create(
        "fails", "def handler(event, context):\n    raise KeyError('nothing')\n",
        DeadLetterConfig={"TargetArn": dead},
    )
    lam.put_function_event_invoke_config(
        FunctionName="fails", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failed}},
    )
    send("fails", {"n": 2})
    record = json.loads(received(failed_url)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted", record
    assert record["requestContext"]["approximateInvokeCount"] == 1, record
    assert record["responseContext"]["functionError"] == "Unhandled", record
    assert record["responsePayload"]["errorType"] == "KeyError", record
    letter = received(dead_url)
    assert json.loads(letter["Body"]) == {"n": 2}, letter
    attributes = {
        name: value["StringValue"] for name, value in letter["MessageAttributes"].items()
    }
    assert attributes == {
        "RequestID": record["requestContext"]["requestId"],
        "ErrorCode": "200",
        "ErrorMessage": record["responsePayload"]["errorMessage"],
    }, attributes
    print("dead letters ok", flush=True)


def configurations():
    shown = lam.update_function_event_invoke_config(
        FunctionName="echo", MaximumEventAgeInSeconds=60
    )
    assert shown["MaximumEventAgeInSeconds"] == 60, shown
    assert shown["LastModified"].tzinfo, shown
    listed = lam.list_function_event_invoke_configs(FunctionName="echo")
    assert len(listed["FunctionEventInvokeConfigs"]) == 1, listed
    lam.delete_function_event_invoke_config(FunctionName="echo")
    refused(
        "ResourceNotFoundException", lam.get_function_event_invoke_config, FunctionName="echo"
    )
    created = lam.create_function_url_config(
        FunctionName="echo", AuthType="NONE", Cors={"AllowOrigins": ["*"]}
    )
    assert ".lambda-url." in created["FunctionUrl"], created
    shown = lam.get_function_url_config(FunctionName="echo")
    assert shown["FunctionUrl"] == created["FunctionUrl"], shown
    assert shown["Cors"] == {"AllowOrigins": ["*"]}, shown
    lam.delete_function_url_config(FunctionName="echo")
    refused("ResourceNotFoundException", lam.get_function_url_config, FunctionName="echo")
    assert lam.get_function_recursion_config(FunctionName="echo")["RecursiveLoop"] == "Terminate"
    assert lam.get_runtime_management_config(FunctionName="echo")["UpdateRuntimeOn"] == "Auto"
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij"
    config = lam.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [profile]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )["CodeSigningConfig"]
    arn = config["CodeSigningConfigArn"]
    lam.put_function_code_signing_config(FunctionName="echo", CodeSigningConfigArn=arn)
    refused(
        "CodeVerificationFailedException", lam.update_function_code,
        FunctionName="echo", ZipFile=b"PK\x05\x06" + bytes(18),
    )
    lam.delete_function_code_signing_config(FunctionName="echo")
    lam.delete_code_signing_config(CodeSigningConfigArn=arn)
    print("configurations ok", flush=True)


destinations()
dead_letters()
configurations()
