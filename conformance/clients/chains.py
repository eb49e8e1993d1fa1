"""Chains of services through boto3, in clients and in functions: one trace from end to end, and loops
that are stopped. Exits non-zero on the first surprise."""

import io
import json
import pathlib
import zipfile

import boto3
import botocore
from common import until

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/boto3-role"
USED = ("lambda", "s3", "sqs", "sns", "events")
lam, s3, sqs, sns, bus, logs = (
    boto3.client(name) for name in ("lambda", "s3", "sqs", "sns", "events", "logs"))
REGION = lam.meta.region_name
# Slow machines start functions with an SDK slowly.
PATIENCE = 120


def sdk_layer():
    """boto3 as this client has it, with the models that functions use."""
    packages = pathlib.Path(botocore.__file__).parents[1]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"):
            root = packages / name
            for file in [root] if root.is_file() else root.rglob("*"):
                place = file.relative_to(packages)
                is_model = place.parts[:2] == ("botocore", "data") and len(place.parts) > 3
                if file.is_file() and "__pycache__" not in place.parts and (
                        not is_model or place.parts[2] in USED):
                    archive.write(file, pathlib.Path("python") / place)
    layer = lam.publish_layer_version(LayerName="sdk", Content={"ZipFile": buffer.getvalue()})
    return layer["LayerVersionArn"]


SDK = sdk_layer()


def create(name, body, dead_letters=None, **environment):
    source = f"""import json, os, boto3
{body}
"""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    more = {"DeadLetterConfig": {"TargetArn": dead_letters}} if dead_letters else {}
    arn = lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=ROLE, Timeout=20,
        Code={"ZipFile": buffer.getvalue()}, Layers=[SDK], Environment={"Variables": environment},
        **more)["FunctionArn"]
    lam.get_waiter("function_active_v2").wait(FunctionName=name)
    return arn


def queue(name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def lines(name):
    """What a function has printed after the word RUN."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        messages = [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [message[4:].strip() for message in messages if message.startswith("RUN ")]


def received(url):
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)
    return (answer.get("Messages") or [None])[0]


def destination(name, kind, arn):
    lam.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={kind: {"Destination": arn}})


TRACED = """
def handler(event, context):
    print("RUN " + json.dumps([os.environ["_X_AMZN_TRACE_ID"], str(event)[:40]]))
    for name in os.environ.get("NEXT", "").split():
        boto3.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload="{}")
"""


def one_trace():
    """S3 to SNS to SQS to a function, which invokes two, whose destinations are a bus and a queue,
    whose events both reach a last one."""
    root = "1-6748f0a1-0123456789abcdef01234567"
    topic = sns.create_topic(Name="uploaded")["TopicArn"]
    _, uploads = queue("uploads")
    _, done = queue("done")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=uploads)
    s3.create_bucket(Bucket="traced", CreateBucketConfiguration={"LocationConstraint": REGION})
    create("relay", TRACED, NEXT="to-bus to-queue")
    create("to-bus", TRACED)
    create("to-queue", TRACED)
    last = create("last", TRACED)
    destination("to-bus", "OnSuccess", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default")
    destination("to-queue", "OnSuccess", done)
    bus.put_rule(Name="results", EventPattern=json.dumps({"source": ["lambda"]}))
    bus.put_targets(Rule="results", Targets=[{"Id": "1", "Arn": last}])
    lam.create_event_source_mapping(FunctionName="relay", EventSourceArn=uploads)
    lam.create_event_source_mapping(FunctionName="last", EventSourceArn=done)
    # The bucket announces itself to the topic: in a chain of its own.
    s3.put_bucket_notification_configuration(Bucket="traced", NotificationConfiguration={
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
    s3.meta.events.register("before-sign.s3.PutObject", lambda request, **_: request.headers.add_header(
        "X-Amzn-Trace-Id", f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"))
    s3.put_object(Bucket="traced", Key="k", Body=b"x")

    def of_the_chain(name):
        return [line for line in map(json.loads, lines(name)) if f"Root={root};" in line[0]]

    for name, count in (("relay", 1), ("to-bus", 1), ("to-queue", 1), ("last", 2)):
        runs = until(f"the trace at {name}", lambda: len(of_the_chain(name)) >= count and of_the_chain(name),
                     PATIENCE)
        assert len(runs) == count, runs
        assert all("Sampled=1" in trace for trace, _ in runs), runs
    ways = sorted("Records" in event for _, event in of_the_chain("last"))
    assert ways == [False, True], "one came by the bus, one by the queue"
    print("trace ok", flush=True)


LOOP = """
sqs, sns, s3, lam, bus = (boto3.client(name) for name in ("sqs", "sns", "s3", "lambda", "events"))
HOW, WHERE = os.environ["HOW"], os.environ.get("WHERE")
def handler(event, context):
    print("RUN " + context.aws_request_id)
    if HOW == "queue":
        sqs.send_message(QueueUrl=WHERE, MessageBody="again")
    elif HOW == "topic":
        sns.publish(TopicArn=WHERE, Message="again")
    elif HOW == "bucket":
        s3.put_object(Bucket=WHERE, Key=context.aws_request_id, Body=b"again")
    elif event.get("detail", event)["left"] > 1:
        again = json.dumps({"left": event.get("detail", event)["left"] - 1})
        if HOW == "bus":
            bus.put_events(Entries=[{"Source": "loop", "DetailType": "again", "Detail": again}])
        else:
            lam.invoke(FunctionName=context.function_name, InvocationType="Event", Payload=again)
"""


def stopped(name, dead_letters):
    """A loop ends after sixteen rounds, and what would have been the next is given up."""
    letter = until(f"the end of the loop by {name}", lambda: received(dead_letters), PATIENCE)
    runs = until(f"the log of {name}", lambda: len(lines(name)) >= 16 and lines(name))
    assert len(runs) == 16, runs
    assert received(dead_letters) is None, "a loop has one end"
    print(f"loop by {name} ok", flush=True)
    return letter


def loops():
    dead = {name: queue(f"{name}-dead") for name in ("queue", "topic", "bucket", "itself")}

    redrive = json.dumps({"deadLetterTargetArn": dead["queue"][1], "maxReceiveCount": 1})
    url, arn = queue("again", VisibilityTimeout="20", RedrivePolicy=redrive)
    create("queue", LOOP, HOW="queue", WHERE=url)
    lam.create_event_source_mapping(FunctionName="queue", EventSourceArn=arn, BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody="first")

    topic = sns.create_topic(Name="again")["TopicArn"]
    function = create("topic", LOOP, dead["topic"][1], HOW="topic", WHERE=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="first")

    s3.create_bucket(Bucket="again", CreateBucketConfiguration={"LocationConstraint": REGION})
    function = create("bucket", LOOP, HOW="bucket", WHERE="again")
    destination("bucket", "OnFailure", dead["bucket"][1])
    s3.put_bucket_notification_configuration(Bucket="again", NotificationConfiguration={
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]})
    boto3.client("s3").put_object(Bucket="again", Key="first", Body=b"first")

    create("itself", LOOP, dead["itself"][1], HOW="itself")
    create("allowed", LOOP, dead["itself"][1], HOW="itself")
    lam.put_function_recursion_config(FunctionName="allowed", RecursiveLoop="Allow")
    function = create("bus", LOOP, dead["itself"][1], HOW="bus")
    bus.put_rule(Name="loop", EventPattern=json.dumps({"source": ["loop"]}))
    bus.put_targets(Rule="loop", Targets=[{"Id": "1", "Arn": function}])
    for name in ("itself", "allowed", "bus"):
        lam.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"left": 20}))

    assert stopped("queue", dead["queue"][0])["Body"] == "again"
    event = json.loads(stopped("topic", dead["topic"][0])["Body"])
    assert event["Records"][0]["Sns"]["Message"] == "again", event
    record = json.loads(stopped("bucket", dead["bucket"][0])["Body"])
    assert record["requestContext"]["functionArn"].endswith(":bucket:$LATEST"), record
    assert "responsePayload" not in record, record
    assert record["requestPayload"]["Records"][0]["s3"]["bucket"]["name"] == "again", record
    assert json.loads(stopped("itself", dead["itself"][0])["Body"]) == {"left": 4}
    # One that its function allows, and one through a service where Lambda does not look for loops.
    for name in ("allowed", "bus"):
        until(f"the end of the loop {name}", lambda: len(lines(name)) == 20, PATIENCE)
    print("loops ok", flush=True)


one_trace()
loops()
print("end ok")
