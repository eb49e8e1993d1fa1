"""DynamoDB through boto3: its client, resources, paginators and waiters. Exits non-zero on the first surprise."""

import time
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from common import refused, until

client = boto3.client("dynamodb")
resource = boto3.resource("dynamodb")
streams = boto3.client("dynamodbstreams")


def key(hash_key, range_key):
    return {"pk": hash_key, "sk": range_key}


table = resource.create_table(
    TableName="conformance",
    KeySchema=[
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    AttributeDefinitions=[
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "colour", "AttributeType": "S"},
    ],
    GlobalSecondaryIndexes=[{
        "IndexName": "by-colour",
        "KeySchema": [
            {"AttributeName": "colour", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }],
    BillingMode="PAY_PER_REQUEST",
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
)
table.wait_until_exists()
table.reload()
assert table.table_status == "ACTIVE"
print("table ok")

document = {
    "list": [Decimal("1.5"), "two", None, True, b"bytes", {"a", "b"}, {Decimal(1), Decimal(2)}],
    "map": {"nested": {"deep": Decimal("-12345678901234567890123456789012345678")}},
}
with table.batch_writer() as batch:
    for number in range(-30, 30):
        colour = ["red", "green", "blue"][number % 3]
        batch.put_item(Item={**key("a", number), "colour": colour, "document": document})
assert table.get_item(Key=key("a", -30))["Item"]["document"]["map"] == document["map"]
found = table.query(KeyConditionExpression=Key("pk").eq("a") & Key("sk").between(-2, 2))
assert [item["sk"] for item in found["Items"]] == [-2, -1, 0, 1, 2]
found = table.query(
    IndexName="by-colour", KeyConditionExpression=Key("colour").eq("red"), ScanIndexForward=False,
    FilterExpression=Attr("document.list[1]").eq("two"), ProjectionExpression="sk, document.#m",
    ExpressionAttributeNames={"#m": "map"}, Limit=3,
)
assert [item["sk"] for item in found["Items"]] == [27, 24, 21], found
assert found["Items"][0]["document"] == {"map": document["map"]}
pages = client.get_paginator("scan").paginate(
    TableName="conformance", Select="COUNT", PaginationConfig={"PageSize": 7}
)
assert sum(page["Count"] for page in pages) == 60
counts = [table.scan(Segment=segment, TotalSegments=3)["Count"] for segment in range(3)]
assert sum(counts) == 60
print("items ok")

updated = table.update_item(
    Key=key("counter", 1), ReturnValues="ALL_NEW",
    UpdateExpression="SET #c = if_not_exists(#c, :zero) + :one, tags = list_append(:empty, :tags)",
    ExpressionAttributeNames={"#c": "count"},
    ExpressionAttributeValues={":zero": 0, ":one": 1, ":empty": [], ":tags": ["x"]},
)
assert updated["Attributes"] == {**key("counter", 1), "count": 1, "tags": ["x"]}
failed = refused(
    "ConditionalCheckFailedException", client.put_item, TableName="conformance",
    Item={"pk": {"S": "counter"}, "sk": {"N": "1"}},
    ConditionExpression="attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD",
)
assert failed.response["Item"]["count"] == {"N": "1"}, failed
failed = refused(
    "ValidationException", client.query, TableName="conformance", KeyConditionExpression="pk = :a OR sk = :a",
    ExpressionAttributeValues={":a": {"S": "a"}},
)
assert "OR" in failed.response["Error"]["Message"]
refused("ResourceNotFoundException", client.describe_table, TableName="missing")
print("conditions ok")

selected = client.execute_statement(
    Statement='SELECT sk FROM "conformance" WHERE pk = ? AND sk BETWEEN ? AND 2 ORDER BY sk DESC',
    Parameters=[{"S": "a"}, {"N": "0"}],
)
assert [item["sk"]["N"] for item in selected["Items"]] == ["2", "1", "0"], selected
# botocore compares it with the body.
assert "x-amz-crc32" in selected["ResponseMetadata"]["HTTPHeaders"]
print("statements ok")

put = {"Put": {"TableName": "conformance", "Item": {"pk": {"S": "t"}, "sk": {"N": "1"}}}}
check = {"ConditionCheck": {
    "TableName": "conformance", "Key": {"pk": {"S": "t"}, "sk": {"N": "2"}},
    "ConditionExpression": "attribute_exists(pk)",
}}
try:
    client.transact_write_items(TransactItems=[put, check])
    raise AssertionError("the transaction was not cancelled")
except client.exceptions.TransactionCanceledException as error:
    codes = [reason["Code"] for reason in error.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"], codes
assert "Item" not in table.get_item(Key=key("t", 1))
for _ in range(2):
    client.transact_write_items(TransactItems=[put], ClientRequestToken="once")
assert "Item" in table.get_item(Key=key("t", 1))
print("transactions ok")

client.update_time_to_live(
    TableName="conformance", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
)
table.put_item(Item={**key("short", 1), "expires": int(time.time())})
until("the item expired", lambda: "Item" not in table.get_item(Key=key("short", 1)))
client.update_table(
    TableName="conformance",
    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    GlobalSecondaryIndexUpdates=[{"Create": {
        "IndexName": "late", "Projection": {"ProjectionType": "KEYS_ONLY"},
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }}],
)


def late_status():
    described = client.describe_table(TableName="conformance")["Table"]
    indexes = {index["IndexName"]: index for index in described["GlobalSecondaryIndexes"]}
    return indexes["late"]["IndexStatus"]


until("the index was filled", lambda: late_status() == "ACTIVE")
found = table.query(IndexName="late", KeyConditionExpression=Key("pk").eq("a"), Select="COUNT")
assert found["Count"] == 60
print("indexes ok")

shard = streams.describe_stream(StreamArn=table.latest_stream_arn)["StreamDescription"]["Shards"][0]
iterator = streams.get_shard_iterator(
    StreamArn=table.latest_stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
)["ShardIterator"]
records = streams.get_records(ShardIterator=iterator)["Records"]
assert len(records) == 64, len(records)
assert records[-1]["eventName"] == "REMOVE"
assert records[-1]["userIdentity"]["PrincipalId"] == "dynamodb.amazonaws.com"
numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
assert numbers == sorted(numbers, key=int)
print("streams ok")

client.tag_resource(ResourceArn=table.table_arn, Tags=[{"Key": "team", "Value": "blue"}])
assert client.list_tags_of_resource(ResourceArn=table.table_arn)["Tags"] == [{"Key": "team", "Value": "blue"}]
table.delete()
table.wait_until_not_exists()
assert client.list_tables()["TableNames"] == []
print("end ok")
