"""Capacity providers and functions on them through boto3: waiters, paginators, many calls at once.
Exits non-zero on the first surprise."""

import base64
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from common import refused, until

ROLE = "arn:aws:iam::000000000000:role/boto3-role"
lam = boto3.client("lambda", config=Config(max_pool_connections=20, retries={"max_attempts": 0}))
logs = boto3.client("logs")

SOURCE = """
import logging, os, time

logging.getLogger().setLevel("INFO")
calls = 0

def handler(event, context):
    global calls
    calls += 1
    logging.info("call %d", calls)
    time.sleep(event.get("sleep", 0))
    return {"pid": os.getpid(), "stream": context.log_stream_name, "version": context.function_version}
"""


def archive(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("index.py", source)
    return buffer.getvalue()


def invoke(name, event=None, **more):
    answer = lam.invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)
    return answer, json.loads(answer["Payload"].read())


network = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
permissions = {"CapacityProviderOperatorRoleArn": ROLE}
made = lam.create_capacity_provider(
    CapacityProviderName="mine", VpcConfig=network, PermissionsConfig=permissions,
    CapacityProviderScalingConfig={"MaxVCpuCount": 30, "ScalingMode": "Auto"}, Tags={"a": "b"},
)["CapacityProvider"]
assert made["State"] == "Pending", made
arn = made["CapacityProviderArn"]
for name in ("mine", arn):
    shown = lam.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]
    assert shown["State"] == "Active" and shown["VpcConfig"] == network, shown
assert lam.list_tags(Resource=arn)["Tags"] == {"a": "b"}
pages = lam.get_paginator("list_capacity_providers").paginate(PaginationConfig={"PageSize": 1})
assert [it["CapacityProviderArn"] for page in pages for it in page["CapacityProviders"]] == [arn]

config = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": arn, "PerExecutionEnvironmentMaxConcurrency": 4,
    }
}
lam.create_function(
    FunctionName="f", Runtime="python3.13", Handler="index.handler", Role=ROLE, Timeout=20,
    Code={"ZipFile": archive(SOURCE)}, CapacityProviderConfig=config,
)
until("f", lambda: lam.get_function_configuration(FunctionName="f")["State"] == "ActiveNonInvocable")
refused("NoPublishedVersionException", lam.invoke, FunctionName="f")
refused("ResourceConflictException", lam.invoke, FunctionName="f", Qualifier="$LATEST")
published = lam.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
assert published["Version"] == "$LATEST.PUBLISHED", published
lam.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
scaling = lam.get_function_scaling_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
assert scaling["RequestedFunctionScalingConfig"] == {"MinExecutionEnvironments": 3}, scaling
answer, told = invoke("f", LogType="Tail")
assert answer["ExecutedVersion"] == told["version"] == "$LATEST.PUBLISHED", answer
tail = [json.loads(it) for it in base64.b64decode(answer["LogResult"]).decode().splitlines()]
kinds = [event.get("type", event.get("message")) for event in tail]
assert kinds[0] == "platform.start" and kinds[-1] == "platform.report", kinds
assert kinds[1].startswith("call "), kinds
assert list(tail[-1]["record"]["metrics"]) == ["durationMs"], tail[-1]

one = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1}
lam.put_function_scaling_config(
    FunctionName="f", Qualifier="$LATEST.PUBLISHED", FunctionScalingConfig=one
)
until(
    "one environment",
    lambda: lam.get_function_scaling_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED")[
        "AppliedFunctionScalingConfig"
    ] == one,
)


def four_at_once():
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: invoke("f", {"sleep": 0.5})[1], range(4)))
    return {it["stream"] for it in told}, {it["pid"] for it in told}


streams, pids = four_at_once()
assert len(streams) == 1 and len(pids) == 4, (streams, pids)
with ThreadPoolExecutor(12) as pool:
    calls = [pool.submit(invoke, "f", {"sleep": 1}) for _ in range(12)]
failures = [call.exception() for call in calls if call.exception()]
assert len(failures) == 8, failures
for failure in failures:
    assert failure.response["Error"]["Code"] == "TooManyRequestsException", failure
    assert failure.response["Reason"] == "ConcurrentInvocationLimitExceeded", failure.response

# Asynchronously there is room for all, one after the other.
for _ in range(8):
    lam.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps({"sleep": 0.2}))


def reports():
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/f")
    return [it for page in pages for it in page["events"] if "platform.report" in it["message"]]


until("all reports", lambda: len(reports()) == 1 + 4 + 4 + 8)
versions = lam.get_paginator("list_function_versions_by_capacity_provider").paginate(
    CapacityProviderName="mine"
)
listed = [(it["FunctionArn"], it["State"]) for page in versions for it in page["FunctionVersions"]]
assert listed == [(published["FunctionArn"], "Active")], listed
refused("ResourceConflictException", lam.delete_capacity_provider, CapacityProviderName="mine")
lam.delete_function(FunctionName="f")
gone = lam.delete_capacity_provider(CapacityProviderName="mine")["CapacityProvider"]
assert gone["State"] == "Deleting", gone
refused("ResourceNotFoundException", lam.get_capacity_provider, CapacityProviderName="mine")
print("managed instances ok")
