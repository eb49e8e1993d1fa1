"""DynamoDB's backups, recovery, exports, imports and policies through boto3. Exits non-zero on the first surprise."""

import gzip
import json
import time

import boto3
from common import refused, until

client = boto3.client("dynamodb")
s3 = boto3.client("s3")


def scan(table):
    pages = client.get_paginator("scan").paginate(TableName=table)
    return {item["id"]["S"]: item for page in pages for item in page["Items"]}


keys = dict(
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
)
arn = client.create_table(TableName="music", **keys)["TableDescription"]["TableArn"]
for number in range(40):
    client.put_item(TableName="music", Item={"id": {"S": f"n{number}"}, "b": {"B": b"\x00\xff"}})

backup = client.create_backup(TableName="music", BackupName="first")["BackupDetails"]["BackupArn"]
client.delete_item(TableName="music", Key={"id": {"S": "n0"}})
until("the backup", lambda: client.describe_backup(BackupArn=backup)
      ["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE")
client.restore_table_from_backup(TargetTableName="again", BackupArn=backup)
client.get_waiter("table_exists").wait(TableName="again", WaiterConfig={"Delay": 1})
assert len(scan("again")) == 40 and len(scan("music")) == 39
pages = client.get_paginator("list_backups").paginate(TableName="music")
assert [one["BackupName"] for page in pages for one in page["BackupSummaries"]] == ["first"]
client.delete_backup(BackupArn=backup)
refused("BackupNotFoundException", client.describe_backup, BackupArn=backup)
print("backups ok")

client.update_continuous_backups(
    TableName="music", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 2}
)
described = client.describe_continuous_backups(TableName="music")["ContinuousBackupsDescription"]
recovery = described["PointInTimeRecoveryDescription"]
assert recovery["PointInTimeRecoveryStatus"] == "ENABLED" and recovery["RecoveryPeriodInDays"] == 2
time.sleep(1.1)
latest = client.describe_continuous_backups(TableName="music")["ContinuousBackupsDescription"]
moment = latest["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"]
time.sleep(1.1)
client.delete_item(TableName="music", Key={"id": {"S": "n1"}})
client.restore_table_to_point_in_time(SourceTableName="music", TargetTableName="before", RestoreDateTime=moment)
client.restore_table_to_point_in_time(SourceTableArn=arn, TargetTableName="latest", UseLatestRestorableTime=True)
for table in ["before", "latest"]:
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
assert "n1" in scan("before") and "n1" not in scan("latest")
print("recovery ok")

s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
export = client.export_table_to_point_in_time(TableArn=arn, S3Bucket="exports", S3Prefix="p")["ExportDescription"]
client.get_waiter("export_completed").wait(ExportArn=export["ExportArn"], WaiterConfig={"Delay": 1}) \
    if "export_completed" in client.waiter_names else until("the export", lambda: client.describe_export(
        ExportArn=export["ExportArn"])["ExportDescription"]["ExportStatus"] == "COMPLETED")
done = client.describe_export(ExportArn=export["ExportArn"])["ExportDescription"]
assert done["ItemCount"] == 38, done
summary = json.load(s3.get_object(Bucket="exports", Key=done["ExportManifest"])["Body"])
files = s3.get_object(Bucket="exports", Key=summary["manifestFilesS3Key"])["Body"].read()
data = json.loads(files)["dataFileS3Key"]
lines = gzip.decompress(s3.get_object(Bucket="exports", Key=data)["Body"].read()).splitlines()
assert json.loads(lines[0])["Item"]["b"] == {"B": "AP8="}
imported = client.import_table(
    S3BucketSource={"S3Bucket": "exports", "S3KeyPrefix": data.rsplit("/", 1)[0] + "/"}, InputFormat="DYNAMODB_JSON",
    InputCompressionType="GZIP", TableCreationParameters={"TableName": "imported", **keys},
)["ImportTableDescription"]["ImportArn"]
client.get_waiter("table_exists").wait(TableName="imported", WaiterConfig={"Delay": 1})
assert scan("imported") == scan("music")
assert client.describe_import(ImportArn=imported)["ImportTableDescription"]["ImportedItemCount"] == 38
s3.put_object(Bucket="exports", Key="rows.csv", Body=b"id,title\na,One\nb,\n,lost\n")
csv = client.import_table(
    S3BucketSource={"S3Bucket": "exports", "S3KeyPrefix": "rows.csv"}, InputFormat="CSV",
    TableCreationParameters={"TableName": "csv", **keys},
)["ImportTableDescription"]
client.get_waiter("table_exists").wait(TableName="csv", WaiterConfig={"Delay": 1})
assert scan("csv") == {"a": {"id": {"S": "a"}, "title": {"S": "One"}}, "b": {"id": {"S": "b"}}}
logs = boto3.client("logs").filter_log_events(logGroupName="/aws-dynamodb/imports")["events"]
assert json.loads(logs[0]["message"])["importArn"] == csv["ImportArn"]
assert len(client.list_imports()["ImportSummaryList"]) == 2
refused("NotImplementedException", client.export_table_to_point_in_time, TableArn=arn, S3Bucket="exports", ExportFormat="ION")
print("exports ok")

policy = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "dynamodb:Get*", "Resource": arn,
}]}
client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy))
assert json.loads(client.get_resource_policy(ResourceArn=arn)["Policy"]) == policy
other = boto3.client("dynamodb", aws_access_key_id="111111111111", aws_secret_access_key="x")
assert "Item" in other.get_item(TableName=arn, Key={"id": {"S": "n5"}})
refused("AccessDeniedException", other.delete_item, TableName=arn, Key={"id": {"S": "n5"}})
refused("NotImplementedException", client.list_global_tables)
refused("NotImplementedException", client.describe_kinesis_streaming_destination, TableName="music")
print("end ok")
