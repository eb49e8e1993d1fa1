"""The calls of Terraform's AWS provider for a function and what belongs to it, and for a bucket, in the
provider's order, and the comparisons that make it plan a change: what is read must be what was set. Exits
non-zero on the first drift."""

import base64
import hashlib
import io
import json
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/terraform-role"
NAME = "planned"
lam, sqs = (boto3.client(name) for name in ("lambda", "sqs"))


def archive(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("index.py", text)
    return buffer.getvalue()


def same(what, read, wanted):
    if read != wanted:
        raise AssertionError(f"{what}: a plan would change {read!r} to {wanted!r}")


def wait_for(what, ask):
    for _ in range(600):
        answer = ask()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within a minute")


def gone(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        same("the error of what is gone", error.response["Error"]["Code"], "ResourceNotFoundException")
        return True
    return False


def function():
    """What the provider reads of a function, by the names of its own arguments."""
    answer = lam.get_function(FunctionName=NAME)
    read, code = answer["Configuration"], answer["Code"]
    pages = lam.get_paginator("list_versions_by_function").paginate(FunctionName=NAME)
    latest = [version for page in pages for version in page["Versions"]][-1]
    signing = lam.get_function_code_signing_config(FunctionName=NAME)
    assert code["RepositoryType"] == "S3" and code["Location"].startswith("http"), code
    vpc = read.get("VpcConfig", {})
    return {
        "architectures": read["Architectures"],
        "arn": read["FunctionArn"],
        "code_sha256": read["CodeSha256"],
        "code_signing_config_arn": signing.get("CodeSigningConfigArn", ""),
        "dead_letter": read.get("DeadLetterConfig", {}).get("TargetArn"),
        "description": read["Description"],
        "environment": read.get("Environment", {}).get("Variables"),
        "ephemeral_storage": read["EphemeralStorage"]["Size"],
        "file_systems": read.get("FileSystemConfigs", []),
        "handler": read["Handler"],
        "image_uri": code.get("ImageUri"),
        "kms_key_arn": read.get("KMSKeyArn"),
        "layers": [layer["Arn"] for layer in read.get("Layers", [])],
        "logging": read["LoggingConfig"],
        "memory_size": read["MemorySize"],
        "package_type": read["PackageType"],
        "qualified_arn": latest["FunctionArn"],
        "reserved": answer.get("Concurrency", {}).get("ReservedConcurrentExecutions", -1),
        "role": read["Role"],
        "runtime": read["Runtime"],
        "snap_start": read["SnapStart"]["ApplyOn"],
        "source_code_size": read["CodeSize"],
        "subnets": vpc.get("SubnetIds", []),
        "tags": answer.get("Tags", {}),
        "timeout": read["Timeout"],
        "tracing": read["TracingConfig"]["Mode"],
        "version": latest["Version"],
    }


def updated():
    def is_updated():
        read = lam.get_function(FunctionName=NAME)["Configuration"]
        return read["State"] == "Active" and read["LastUpdateStatus"] == "Successful"
    wait_for("the update", is_updated)


def planned(**changes):
    """What a second plan compares with, after these changes."""
    wanted.update(changes)
    read = function()
    same("a function", {name: read[name] for name in wanted}, wanted)
    # A plan reads twice and must see the same.
    same("a function read again", function(), read)


first, second = (
    archive(f"def handler(event, context):\n    return {text!r}\n") for text in ("one", "two")
)
digest = lambda code: base64.b64encode(hashlib.sha256(code).digest()).decode()
library = archive("SAYS = 1\n")
queue = sqs.create_queue(QueueName="planned-letters")["QueueUrl"]
letters = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
letters = letters["Attributes"]["QueueArn"]
layer = lam.publish_layer_version(
    LayerName="planned", Content={"ZipFile": library}, Description="of the plan",
    CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"], LicenseInfo="MIT",
)
read = lam.get_layer_version(LayerName="planned", VersionNumber=layer["Version"])
for field in ("LayerArn", "LayerVersionArn", "Description", "CompatibleRuntimes", "LicenseInfo",
              "CompatibleArchitectures", "CreatedDate"):
    same(f"the layer's {field}", read[field], layer[field])
same("the layer's digest", read["Content"]["CodeSha256"], digest(library))

# aws_lambda_function: create, read.
lam.create_function(
    FunctionName=NAME, Code={"ZipFile": first}, Role=ROLE, Handler="index.handler",
    Runtime="python3.12", Description="", MemorySize=128, Timeout=3, PackageType="Zip",
    Publish=True, Architectures=["x86_64"], EphemeralStorage={"Size": 512},
    Tags={"team": "one", "stage": "test"},
)
wait_for("the function", lambda: lam.get_function(FunctionName=NAME)["Configuration"]["State"] == "Active")
arn = f"arn:aws:lambda:{lam.meta.region_name}:000000000000:function:{NAME}"
wanted = {
    "architectures": ["x86_64"], "arn": arn, "code_sha256": digest(first),
    "code_signing_config_arn": "", "dead_letter": None, "description": "", "environment": None,
    "ephemeral_storage": 512, "file_systems": [], "handler": "index.handler", "image_uri": None,
    "kms_key_arn": None, "layers": [],
    "logging": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
    "memory_size": 128, "package_type": "Zip", "qualified_arn": f"{arn}:1", "reserved": -1,
    "role": ROLE, "runtime": "python3.12", "snap_start": "None", "source_code_size": len(first),
    "subnets": [], "tags": {"team": "one", "stage": "test"}, "timeout": 3,
    "tracing": "PassThrough", "version": "1",
}
planned()

# aws_lambda_function: update of the configuration, then of the code, then publish.
signing = lam.create_code_signing_config(
    AllowedPublishers={"SigningProfileVersionArns": [
        "arn:aws:signer:us-east-1:000000000000:/signing-profiles/planned/abcdefghij"]},
    CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"}, Description="warns",
)["CodeSigningConfig"]
same("a signing config", lam.get_code_signing_config(
    CodeSigningConfigArn=signing["CodeSigningConfigArn"])["CodeSigningConfig"], signing)
lam.put_function_code_signing_config(
    CodeSigningConfigArn=signing["CodeSigningConfigArn"], FunctionName=NAME)
lam.update_function_configuration(
    FunctionName=NAME, DeadLetterConfig={"TargetArn": letters}, Description="changed",
    Environment={"Variables": {"ONE": "1", "NONE": ""}}, EphemeralStorage={"Size": 1024},
    Layers=[layer["LayerVersionArn"]], MemorySize=256, Timeout=30,
    LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN",
                   "LogGroup": "/planned/logs"},
    TracingConfig={"Mode": "Active"},
)
updated()
lam.update_function_code(FunctionName=NAME, ZipFile=second, Architectures=["x86_64"])
updated()
published = lam.publish_version(FunctionName=NAME)
wait_for("the version", lambda: lam.get_function(
    FunctionName=NAME, Qualifier=published["Version"])["Configuration"]["State"] == "Active")
lam.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=5)
lam.tag_resource(Resource=arn, Tags={"team": "two", "new": "yes"})
lam.untag_resource(Resource=arn, TagKeys=["stage"])
planned(
    code_sha256=digest(second), code_signing_config_arn=signing["CodeSigningConfigArn"],
    dead_letter=letters, description="changed", environment={"ONE": "1", "NONE": ""},
    ephemeral_storage=1024, layers=[layer["LayerVersionArn"]], memory_size=256, timeout=30,
    logging={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN",
             "LogGroup": "/planned/logs"},
    tracing="Active", reserved=5, version="2",
    qualified_arn=f"{arn}:2", source_code_size=len(second), tags={"team": "two", "new": "yes"},
)
same("the tags", lam.list_tags(Resource=arn)["Tags"], wanted["tags"])
# What is read by its version: the concurrency comes with a call of its own.
by_version = lam.get_function(FunctionName=NAME, Qualifier="2")
same("the version", by_version["Configuration"]["FunctionArn"], f"{arn}:2")
assert "Concurrency" not in by_version, by_version.get("Concurrency")
same("the concurrency", lam.get_function_concurrency(
    FunctionName=NAME)["ReservedConcurrentExecutions"], 5)

# Taken away again, as the provider takes away: empty values.
lam.delete_function_code_signing_config(FunctionName=NAME)
lam.update_function_configuration(
    FunctionName=NAME, DeadLetterConfig={"TargetArn": ""}, Environment={"Variables": {}}, Layers=[],
    EphemeralStorage={"Size": 512}, SnapStart={"ApplyOn": "PublishedVersions"},
    TracingConfig={"Mode": "PassThrough"}, FileSystemConfigs=[],
    KMSKeyArn="", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
    LoggingConfig={"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
)
updated()
lam.delete_function_concurrency(FunctionName=NAME)
emptied = function()
# An empty map and none are the same to the provider.
same("the environment", emptied["environment"] or None, None)
wanted.pop("environment")
planned(
    code_signing_config_arn="", dead_letter=None, layers=[], snap_start="PublishedVersions",
    ephemeral_storage=512,
    tracing="PassThrough", reserved=-1,
    logging={"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
)

# aws_lambda_alias.
made = lam.create_alias(
    FunctionName=NAME, Name="live", FunctionVersion="1", Description="",
    RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
)
read = lam.get_alias(FunctionName=NAME, Name="live")
for field in ("AliasArn", "Name", "FunctionVersion", "Description", "RoutingConfig"):
    same(f"the alias's {field}", read[field], made[field])
lam.update_alias(FunctionName=NAME, Name="live", FunctionVersion="2", Description="moved",
                 RoutingConfig={"AdditionalVersionWeights": {}})
read = lam.get_alias(FunctionName=NAME, Name="live")
same("the alias", (read["FunctionVersion"], read["Description"]), ("2", "moved"))
same("its weights", read.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}), {})
answer = lam.invoke(FunctionName=NAME, Qualifier="live", Payload=b"{}")
same("the invocation", (answer["ExecutedVersion"], json.load(answer["Payload"])), ("2", "two"))

# aws_lambda_permission: the policy's statement, field by field.
lam.add_permission(
    FunctionName=NAME, Qualifier="live", StatementId="planned", Action="lambda:InvokeFunction",
    Principal="events.amazonaws.com", SourceArn="arn:aws:events:us-east-1:000000000000:rule/r",
)
[statement] = json.loads(lam.get_policy(FunctionName=NAME, Qualifier="live")["Policy"])["Statement"]
same("the permission", statement, {
    "Sid": "planned", "Effect": "Allow", "Action": "lambda:InvokeFunction",
    "Principal": {"Service": "events.amazonaws.com"}, "Resource": f"{arn}:live",
    "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:000000000000:rule/r"}},
})

# aws_lambda_function_event_invoke_config, _url, _provisioned_concurrency_config, _recursion_config,
# aws_lambda_runtime_management_config.
lam.put_function_event_invoke_config(
    FunctionName=NAME, Qualifier="live", MaximumEventAgeInSeconds=60, MaximumRetryAttempts=0,
    DestinationConfig={"OnFailure": {"Destination": letters}})
read = lam.get_function_event_invoke_config(FunctionName=NAME, Qualifier="live")
same("the event invoke config", (
    read["MaximumEventAgeInSeconds"], read["MaximumRetryAttempts"],
    read["DestinationConfig"]["OnFailure"]["Destination"], read["FunctionArn"]),
    (60, 0, letters, f"{arn}:live"))
cors = {"AllowCredentials": True, "AllowOrigins": ["https://a.test"], "AllowMethods": ["GET"],
        "AllowHeaders": ["date"], "ExposeHeaders": ["keep-alive"], "MaxAge": 86400}
made = lam.create_function_url_config(
    FunctionName=NAME, Qualifier="live", AuthType="NONE", Cors=cors, InvokeMode="BUFFERED")
read = lam.get_function_url_config(FunctionName=NAME, Qualifier="live")
for field in ("FunctionUrl", "FunctionArn", "AuthType", "Cors", "InvokeMode"):
    same(f"the URL's {field}", read[field], made[field])
same("the URL's rules", read["Cors"], cors)
lam.put_provisioned_concurrency_config(
    FunctionName=NAME, Qualifier="live", ProvisionedConcurrentExecutions=1)
read = wait_for("provisioned concurrency", lambda: (lambda read: read["Status"] == "READY" and read)(
    lam.get_provisioned_concurrency_config(FunctionName=NAME, Qualifier="live")))
same("provisioned", read["AllocatedProvisionedConcurrentExecutions"], 1)
same("the recursion's default", lam.get_function_recursion_config(
    FunctionName=NAME)["RecursiveLoop"], "Terminate")
lam.put_function_recursion_config(FunctionName=NAME, RecursiveLoop="Allow")
same("the recursion", lam.get_function_recursion_config(FunctionName=NAME)["RecursiveLoop"], "Allow")
lam.put_runtime_management_config(FunctionName=NAME, UpdateRuntimeOn="FunctionUpdate")
read = lam.get_runtime_management_config(FunctionName=NAME)
same("runtime management", read["UpdateRuntimeOn"], "FunctionUpdate")

# aws_lambda_event_source_mapping.
made = lam.create_event_source_mapping(
    EventSourceArn=letters, FunctionName=f"{arn}:live", BatchSize=5, Enabled=True,
    FilterCriteria={"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
    FunctionResponseTypes=["ReportBatchItemFailures"], MaximumBatchingWindowInSeconds=1,
    ScalingConfig={"MaximumConcurrency": 2}, Tags={"of": "mapping"})
settled = lambda: (lambda read: read["State"] in ("Enabled", "Disabled") and read)(
    lam.get_event_source_mapping(UUID=made["UUID"]))
read = wait_for("the mapping", settled)
for field in ("BatchSize", "EventSourceArn", "FilterCriteria", "FunctionArn", "ScalingConfig",
              "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "EventSourceMappingArn"):
    same(f"the mapping's {field}", read[field], made[field])
same("the mapping's tags", lam.list_tags(Resource=read["EventSourceMappingArn"])["Tags"],
     {"of": "mapping"})
lam.update_event_source_mapping(UUID=made["UUID"], FunctionName=f"{arn}:live", Enabled=False,
                                BatchSize=10, FilterCriteria={}, ScalingConfig={})
read = wait_for("the mapping's update", lambda: (lambda read: read["State"] == "Disabled" and read)(settled() or {"State": ""}))
same("the mapping", (read["BatchSize"], read.get("FilterCriteria", {}).get("Filters", []),
                     read.get("ScalingConfig", {}).get("MaximumConcurrency")), (10, [], None))

# Destroy, in the order of dependencies; each is read until it is gone.
lam.delete_event_source_mapping(UUID=made["UUID"])
wait_for("the mapping's end", lambda: gone(lam.get_event_source_mapping, UUID=made["UUID"]))
of_alias = {"FunctionName": NAME, "Qualifier": "live"}
lam.delete_provisioned_concurrency_config(**of_alias)
lam.delete_function_url_config(**of_alias)
assert gone(lam.get_function_url_config, **of_alias)
lam.delete_function_event_invoke_config(**of_alias)
assert gone(lam.get_function_event_invoke_config, **of_alias)
lam.remove_permission(StatementId="planned", **of_alias)
assert gone(lam.get_policy, **of_alias)
lam.delete_alias(FunctionName=NAME, Name="live")
assert gone(lam.get_alias, FunctionName=NAME, Name="live")
lam.delete_function(FunctionName=NAME)
wait_for("the function's end", lambda: gone(lam.get_function, FunctionName=NAME))
lam.delete_code_signing_config(CodeSigningConfigArn=signing["CodeSigningConfigArn"])
assert gone(lam.get_code_signing_config, CodeSigningConfigArn=signing["CodeSigningConfigArn"])
lam.delete_layer_version(LayerName="planned", VersionNumber=layer["Version"])
assert gone(lam.get_layer_version, LayerName="planned", VersionNumber=layer["Version"])

# aws_s3_bucket, since the provider's version 6.23: made with its tags, which S3 Control has from then on.
s3 = boto3.client("s3")
control = boto3.client("s3control")


def without_account(request, **_):
    """The account is a label of the host's name, which an address cannot have."""
    request.url = request.url.replace("//000000000000.", "//")


control.meta.events.register("before-sign.s3-control", without_account)
bucket = {"AccountId": "000000000000", "ResourceArn": "arn:aws:s3:::planned"}
wanted = [{"Key": "of", "Value": "bucket"}, {"Key": "b/c", "Value": "d e"}]
where = {"Tags": wanted}
if s3.meta.region_name != "us-east-1":
    where["LocationConstraint"] = s3.meta.region_name
s3.create_bucket(Bucket="planned", CreateBucketConfiguration=where)
same("the bucket's tags", control.list_tags_for_resource(**bucket)["Tags"], wanted)
control.untag_resource(TagKeys=["b/c"], **bucket)
control.tag_resource(Tags=[{"Key": "of", "Value": "changed"}, {"Key": "e", "Value": ""}], **bucket)
wanted = [{"Key": "of", "Value": "changed"}, {"Key": "e", "Value": ""}]
same("the bucket's tags", control.list_tags_for_resource(**bucket)["Tags"], wanted)
same("the bucket's tags as S3 has them", s3.get_bucket_tagging(Bucket="planned")["TagSet"], wanted)
s3.delete_bucket(Bucket="planned")
try:
    control.list_tags_for_resource(**bucket)
    raise AssertionError("a bucket that is gone has tags")
except ClientError as error:
    same("the error of what is gone", error.response["Error"]["Code"], "NoSuchResource")
print("no drift")
