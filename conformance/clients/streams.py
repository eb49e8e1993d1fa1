"""Lambda on a table's stream through boto3: the event, bisection and what a bucket is told. Exits
non-zero on the first surprise."""

import io
import json
import time
import zipfile

import boto3
from common import until

ROLE = "arn:aws:iam::000000000000:role/boto3-role"
SOURCE = """
def handler(event, context):
    for record in event["Records"]:
        assert record["dynamodb"].get("NewImage", {}).get("bad") is None
"""
lam, s3, dynamodb = (boto3.client(name) for name in ("lambda", "s3", "dynamodb"))


buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr("index.py", SOURCE)
lam.create_function(
    FunctionName="picky", Runtime="python3.12", Handler="index.handler", Role=ROLE,
    Code={"ZipFile": buffer.getvalue()}, Timeout=30,
)
lam.get_waiter("function_active_v2").wait(FunctionName="picky")
region = lam.meta.region_name
s3.create_bucket(Bucket="lost", CreateBucketConfiguration={"LocationConstraint": region})
stream = dynamodb.create_table(
    TableName="orders",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
)["TableDescription"]["LatestStreamArn"]
mapping = lam.create_event_source_mapping(
    FunctionName="picky", EventSourceArn=stream, StartingPosition="LATEST", BatchSize=50,
    BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, ParallelizationFactor=2,
    DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::lost"}},
)
uuid = mapping["UUID"]
for number in range(20):
    dynamodb.put_item(TableName="orders", Item={"id": {"S": f"order-{number}"}})
dynamodb.put_item(
    TableName="orders",
    Item={"id": {"S": "order-7"}, "bad": {"B": b"\x01\x02"}, "n": {"N": "3.5"}},
)
dynamodb.delete_item(TableName="orders", Key={"id": {"S": "order-7"}})

found = until("an object", lambda: s3.list_objects_v2(Bucket="lost").get("Contents"), seconds=60)
key = found[0]["Key"]
assert key.startswith(f"aws/lambda/{uuid}/shardId-"), key
record = json.loads(s3.get_object(Bucket="lost", Key=key)["Body"].read())
assert record["requestContext"]["condition"] == "RetryAttemptsExhausted", record
assert record["DDBStreamBatchInfo"]["batchSize"] == 1, record
(change,) = json.loads(record["payload"])["Records"]
assert isinstance(change["eventID"], str), change
inner = change["dynamodb"]
assert {name: change[name] for name in change if name not in ("eventID", "dynamodb")} == {
    "eventName": "MODIFY",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": region,
    "eventSourceARN": stream,
}, change
assert inner["Keys"] == {"id": {"S": "order-7"}}, inner
assert inner["OldImage"] == {"id": {"S": "order-7"}}, inner
assert inner["NewImage"] == {
    "id": {"S": "order-7"}, "bad": {"B": "AQI="}, "n": {"N": "3.5"},
}, inner
assert inner["StreamViewType"] == "NEW_AND_OLD_IMAGES", inner
assert inner["SequenceNumber"] == record["DDBStreamBatchInfo"]["startSequenceNumber"], inner
assert abs(inner["ApproximateCreationDateTime"] - time.time()) < 600, inner
assert inner["SizeBytes"] > 0, inner
print("stream ok", flush=True)

until(
    "the mapping goes on",
    lambda: lam.get_event_source_mapping(UUID=uuid)["LastProcessingResult"] == "OK",
    seconds=60,
)
lam.delete_event_source_mapping(UUID=uuid)
print("mapping ok", flush=True)
