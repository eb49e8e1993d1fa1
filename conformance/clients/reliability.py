"""Drives SQS, SNS, EventBridge, S3, Scheduler and DynamoDB at once, while the server is killed and restarted; then shows that whatever was acknowledged has arrived, in order where AWS promises order. Exits non-zero if not."""

import collections
import datetime
import json
import os
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

ACCOUNT = "000000000000"
FOLDER = os.environ["TEST_FOLDER"]
# One attempt a call: a client's own retries would hide what was acknowledged.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=20)
PATIENT = Config(retries={"total_max_attempts": 20, "mode": "standard"}, connect_timeout=2, read_timeout=30)


def client(name, config=ONCE):
    return boto3.session.Session().client(name, config=config)


sqs, sns, bus, s3, scheduler, dynamodb, streams = (
    client(name, PATIENT) for name in ("sqs", "sns", "events", "s3", "scheduler", "dynamodb", "dynamodbstreams"))
REGION = sqs.meta.region_name


def arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def queue(name):
    attributes = {"VisibilityTimeout": "600"}
    if name.endswith(".fifo"):
        attributes |= {"FifoQueue": "true"}
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


names = ["direct", "direct.fifo", "topic", "topic.fifo", "bus", "bucket", "scheduler"]
queues = {name: queue(name) for name in names}
topic = sns.create_topic(Name="topic")["TopicArn"]
fifo_topic = sns.create_topic(Name="topic.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
for subscribed, name in [(topic, "topic"), (fifo_topic, "topic.fifo")]:
    sns.subscribe(TopicArn=subscribed, Protocol="sqs", Endpoint=arn(name), Attributes={"RawMessageDelivery": "true"})
bus.put_rule(Name="all", EventPattern=json.dumps({"source": ["test"]}))
bus.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn("bus"), "InputPath": "$.detail"}])
s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
s3.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration={
    "QueueConfigurations": [{"QueueArn": arn("bucket"), "Events": ["s3:ObjectCreated:*"]}]})
table = dynamodb.create_table(
    TableName="table", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})["TableDescription"]

acknowledged = collections.defaultdict(list)
stop = threading.Event()
problems = []


def put_event(api, name):
    entry = {"Source": "test", "DetailType": "d", "Detail": json.dumps({"name": name})}
    answer = api.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise BotoCoreError()


def schedule(api, name):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    api.create_schedule(
        Name=name, ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})", FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={"Arn": arn("scheduler"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any", "Input": json.dumps(name)})


send = {
    "direct": ("sqs", lambda api, name: api.send_message(QueueUrl=queues["direct"], MessageBody=name)),
    "direct.fifo": ("sqs", lambda api, name: api.send_message(
        QueueUrl=queues["direct.fifo"], MessageBody=name, MessageGroupId=name.split("-")[0], MessageDeduplicationId=name)),
    "topic": ("sns", lambda api, name: api.publish(TopicArn=topic, Message=name)),
    "topic.fifo": ("sns", lambda api, name: api.publish(
        TopicArn=fifo_topic, Message=name, MessageGroupId=name.split("-")[0], MessageDeduplicationId=name)),
    "bus": ("events", put_event),
    "bucket": ("s3", lambda api, name: api.put_object(Bucket="bucket", Key=name, Body=name.encode())),
    "scheduler": ("scheduler", schedule),
    "table": ("dynamodb", lambda api, name: api.put_item(TableName="table", Item={"id": {"S": name}})),
}


def work(source, worker):
    service, call = send[source]
    api = client(service)
    number = 0
    while not stop.is_set():
        name = f"{source.replace('.', '_')}{worker}-{number}"
        number += 1
        try:
            call(api, name)
        except ClientError as error:
            # The server may be ending or starting; anything else it says is wrong.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                problems.append(f"{name}: {error}")
                return
            time.sleep(0.1)
        except (BotoCoreError, HTTPClientError, OSError):
            time.sleep(0.1)
        else:
            acknowledged[source].append(name)
        # Load enough to meet the kills, and little enough that draining takes seconds.
        time.sleep(0.02)


workers = [threading.Thread(target=work, args=(source, worker)) for source in send for worker in range(2)]
for worker in workers:
    worker.start()
open(os.path.join(FOLDER, "started"), "w").close()
while not os.path.exists(os.path.join(FOLDER, "stop")):
    time.sleep(0.1)
stop.set()
for worker in workers:
    worker.join()
assert not problems, problems


def read(source, body):
    if source == "bus":
        return [json.loads(body)["name"]]
    if source == "bucket":
        return [record["s3"]["object"]["key"] for record in json.loads(body).get("Records", [])]
    if source == "scheduler":
        return [json.loads(body)]
    return [body]


def drain(source):
    """What a queue got, in order of arrival, until all that was acknowledged is there."""
    wanted, got = set(acknowledged[source]), []
    deadline = time.monotonic() + 90
    while not wanted <= set(got) and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=queues[source], MaxNumberOfMessages=10, WaitTimeSeconds=2)
        messages = answer.get("Messages", [])
        for message in messages:
            got += read(source, message["Body"])
        if messages:
            sqs.delete_message_batch(QueueUrl=queues[source], Entries=[
                {"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)])
    lost = wanted - set(got)
    assert not lost, f"{source}: {len(lost)} of {len(wanted)} acknowledged are lost, such as {sorted(lost)[:5]}"
    return got


for source in queues:
    got = drain(source)
    assert acknowledged[source], f"nothing was acknowledged for {source}"
    print(f"{source}: {len(acknowledged[source])} acknowledged, {len(got)} arrived, {len(got) - len(set(got))} twice")
    if source.endswith(".fifo"):
        assert len(got) == len(set(got)), "a FIFO queue repeats nothing"
        groups = collections.defaultdict(list)
        for name in got:
            group, number = name.split("-")
            groups[group].append(int(number))
        for group, numbers in groups.items():
            assert numbers == sorted(numbers), f"{group} is out of order: {numbers}"

shard = streams.describe_stream(StreamArn=table["LatestStreamArn"])["StreamDescription"]["Shards"][0]
iterator = streams.get_shard_iterator(
    StreamArn=table["LatestStreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
recorded = []
while True:
    page = streams.get_records(ShardIterator=iterator)
    if not page["Records"]:
        break
    recorded += [record["dynamodb"]["Keys"]["id"]["S"] for record in page["Records"]]
    iterator = page["NextShardIterator"]
pages = dynamodb.get_paginator("scan").paginate(TableName="table", ConsistentRead=True)
items = [item["id"]["S"] for page in pages for item in page["Items"]]
assert sorted(recorded) == sorted(items), "the stream and the table differ"
assert set(acknowledged["table"]) <= set(items), "an acknowledged item is lost"
print(f"table: {len(acknowledged['table'])} acknowledged, {len(items)} items and as many records")
print("end ok")
