"""The four exercises through boto3, and the errors a program would meet. Exits non-zero on the first surprise."""

import io
import json
import zipfile

import boto3
from common import refused, until

ROLE = "arn:aws:iam::000000000000:role/boto3-role"
lam, s3, sqs, iam, sts, logs = (
    boto3.client(name) for name in ("lambda", "s3", "sqs", "iam", "sts", "logs")
)


def zipped(source, name="function.py"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, source)
    return buffer.getvalue()


def create(name, source, **more):
    lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler="function.handler", Role=ROLE,
        Code={"ZipFile": zipped(source)}, Timeout=30, **more,
    )
    lam.get_waiter("function_active_v2").wait(FunctionName=name)


def messages(group):
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def identity():
    assert sts.get_caller_identity()["Account"] == "000000000000"
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="boto3-role", AssumeRolePolicyDocument=json.dumps(trust))
    assert role["Role"]["AssumeRolePolicyDocument"] == trust
    refused("EntityAlreadyExists", iam.create_role, RoleName="boto3-role",
            AssumeRolePolicyDocument=json.dumps(trust))
    refused("NoSuchEntity", iam.get_role, RoleName="nobody")


def hello():
    create("boto3-hello", "def handler(event, context):\n    return {'echo': event}\n")
    answer = lam.invoke(FunctionName="boto3-hello", Payload=json.dumps({"x": "日本語"}), LogType="Tail")
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer
    assert answer["ExecutedVersion"] == "$LATEST"
    assert json.load(answer["Payload"]) == {"echo": {"x": "日本語"}}
    assert "LogResult" in answer
    listed = [f["FunctionName"] for page in lam.get_paginator("list_functions").paginate()
              for f in page["Functions"]]
    assert "boto3-hello" in listed
    refused("ResourceConflictException", lam.create_function, FunctionName="boto3-hello",
            Runtime="python3.12", Handler="function.handler", Role=ROLE,
            Code={"ZipFile": zipped("")})
    refused("ResourceNotFoundException", lam.invoke, FunctionName="missing")
    lam.update_function_code(FunctionName="boto3-hello",
                             ZipFile=zipped("def handler(event, context):\n    return 2\n"))
    lam.get_waiter("function_updated_v2").wait(FunctionName="boto3-hello")
    assert json.load(lam.invoke(FunctionName="boto3-hello")["Payload"]) == 2
    assert lam.invoke(FunctionName="boto3-hello", InvocationType="DryRun")["StatusCode"] == 204


def failing():
    create("boto3-failing", "def handler(event, context):\n    raise ValueError('no ' + event['what'])\n")
    answer = lam.invoke(FunctionName="boto3-failing", Payload=b'{"what": "way"}')
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
    error = json.load(answer["Payload"])
    assert error["errorType"] == "ValueError" and error["errorMessage"] == "no way", error


def object_event():
    create("boto3-objects", "def handler(event, context):\n    for r in event['Records']:\n"
           "        o = r['s3']\n        print('got', o['bucket']['name'], o['object']['key'], o['object']['size'])\n")
    s3.create_bucket(Bucket="boto3-bucket",
                     CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    arn = lam.get_function(FunctionName="boto3-objects")["Configuration"]["FunctionArn"]
    lam.add_permission(FunctionName="boto3-objects", StatementId="s3", Action="lambda:InvokeFunction",
                       Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::boto3-bucket")
    s3.put_bucket_notification_configuration(Bucket="boto3-bucket", NotificationConfiguration={
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
    s3.put_object(Bucket="boto3-bucket", Key="a b/ü.txt", Body=b"twelve bytes")
    until("the object event", lambda: any(
        "got boto3-bucket a+b/%C3%BC.txt 12" in m for m in messages("/aws/lambda/boto3-objects")))
    got = s3.get_object(Bucket="boto3-bucket", Key="a b/ü.txt", Range="bytes=0-5")
    assert got["Body"].read() == b"twelve" and got["ResponseMetadata"]["HTTPStatusCode"] == 206
    refused("NoSuchKey", s3.get_object, Bucket="boto3-bucket", Key="missing")
    refused("NoSuchBucket", s3.list_objects_v2, Bucket="missing-bucket")
    big = bytes(range(256)) * 40_000
    s3.upload_fileobj(io.BytesIO(big), "boto3-bucket", "big")
    assert s3.get_object(Bucket="boto3-bucket", Key="big")["Body"].read() == big
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "boto3-bucket", "Key": "big"})
    import urllib.request
    assert urllib.request.urlopen(url).read() == big


def queue_event():
    create("boto3-queue", "import json\ndef handler(event, context):\n"
           "    print('batch', len(event['Records']))\n"
           "    for r in event['Records']:\n        print('task', json.loads(r['body'])['n'])\n")
    url = sqs.create_queue(QueueName="boto3-tasks")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = lam.create_event_source_mapping(FunctionName="boto3-queue", EventSourceArn=arn, BatchSize=5)
    refused("ResourceConflictException", lam.create_event_source_mapping,
            FunctionName="boto3-queue", EventSourceArn=arn)
    for n in range(10):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"n": n}),
                         MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})

    def all_done():
        lines = [m.split() for m in messages("/aws/lambda/boto3-queue")]
        tasks = sorted(int(line[1]) for line in lines if line[:1] == ["task"])
        sizes = [int(line[1]) for line in lines if line[:1] == ["batch"]]
        assert all(size <= 5 for size in sizes), sizes
        return tasks == list(range(10))

    until("the ten tasks", all_done)
    until("an empty queue", lambda: sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"] == {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"})
    lam.delete_event_source_mapping(UUID=mapping["UUID"])
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="missing")


def fifo():
    url = sqs.create_queue(QueueName="boto3.fifo", Attributes={
        "FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    for n in (1, 2, 2, 3):
        sqs.send_message(QueueUrl=url, MessageBody=str(n), MessageGroupId="g")
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [m["Body"] for m in got] == ["1", "2", "3"], got


def cold_and_warm():
    create("boto3-counter", "calls = 0\ndef handler(event, context):\n    global calls\n"
           "    calls += 1\n    return calls\n")
    seen = [json.load(lam.invoke(FunctionName="boto3-counter")["Payload"]) for _ in range(3)]
    assert seen == [1, 2, 3], seen
    reports = until("three reports", lambda: (
        lambda found: found if len(found) == 3 else None)(
        [m for m in messages("/aws/lambda/boto3-counter") if m.startswith("REPORT")]))
    assert ["Init Duration" in report for report in reports] == [True, False, False], reports


def asynchronous():
    create("boto3-async", "def handler(event, context):\n    print('async', event['n'])\n")
    answer = lam.invoke(FunctionName="boto3-async", InvocationType="Event", Payload=b'{"n": 7}')
    assert answer["StatusCode"] == 202
    until("the asynchronous call", lambda: any("async 7" in m for m in messages("/aws/lambda/boto3-async")))


for exercise in (identity, hello, failing, object_event, queue_event, fifo, cold_and_warm, asynchronous):
    exercise()
    print(exercise.__name__, "ok", flush=True)
