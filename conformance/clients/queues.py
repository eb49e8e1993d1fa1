"""SQS through boto3, and by hand through the query protocol. Exits non-zero on the first surprise."""

import json
import os
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto3
from common import refused, until

sqs = boto3.client("sqs")
NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"


def query(action, **parameters):
    """The older protocol, as clients before 2023 speak it."""
    form = {"Action": action, "Version": "2012-11-05", **parameters}
    region = sqs.meta.region_name
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"], data=urllib.parse.urlencode(form).encode(), headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{region}/sqs/aws4_request, "
                             "SignedHeaders=host, Signature=x",
        })
    with urllib.request.urlopen(request) as answer:
        return ElementTree.fromstring(answer.read())


def arn(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
redrive = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})
source = sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"})["QueueUrl"]
for number in range(12):
    sqs.send_message(QueueUrl=source, MessageBody=f"m{number}")


def visible(url):
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"])


def drained():
    sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10)
    return visible(dead) == 12


until("all are dead letters", drained)
handle = sqs.start_message_move_task(SourceArn=arn(dead), MaxNumberOfMessagesPerSecond=2)["TaskHandle"]
refused("AWS.SimpleQueueService.UnsupportedOperation", sqs.start_message_move_task, SourceArn=arn(dead))
until("some came back", lambda: visible(source) > 0)
sqs.cancel_message_move_task(TaskHandle=handle)
until("it is cancelled", lambda: sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"][0]["Status"] == "CANCELLED")
left = visible(dead)
assert 0 < left < 12 and visible(source) == 12 - left
query("StartMessageMoveTask", SourceArn=arn(dead))
until("the rest came back", lambda: visible(source) == 12)
listed = query("ListMessageMoveTasks", SourceArn=arn(dead), MaxResults="10")
statuses = [one.text for one in listed.iter(f"{NAMESPACE}Status")]
assert statuses == ["COMPLETED", "CANCELLED"], statuses
print("move tasks ok")

big = sqs.create_queue(QueueName="big")["QueueUrl"]
sqs.send_message(QueueUrl=big, MessageBody="x" * (1 << 20))
refused("InvalidParameterValue", sqs.send_message, QueueUrl=big, MessageBody="x" * ((1 << 20) + 1))
assert len(sqs.receive_message(QueueUrl=big)["Messages"][0]["Body"]) == 1 << 20
halves = [{"Id": str(number), "MessageBody": "x" * (1 << 19)} for number in range(3)]
sqs.send_message_batch(QueueUrl=big, Entries=halves[:2])
refused("AWS.SimpleQueueService.BatchRequestTooLong", sqs.send_message_batch, QueueUrl=big, Entries=halves)
number = {"DataType": "Number", "StringValue": "9" * 38}
sqs.send_message(QueueUrl=big, MessageBody="n", MessageAttributes={"n": number})
number["StringValue"] += "9"
refused("InvalidParameterValue", sqs.send_message, QueueUrl=big, MessageBody="n", MessageAttributes={"n": number})
sqs.tag_queue(QueueUrl=big, Tags={"Größe/1": "a b_.:/=+-@"})
refused("InvalidParameterValue", sqs.tag_queue, QueueUrl=big, Tags={"a<b": "x"})
print("limits ok")

fair = sqs.create_queue(QueueName="fair")["QueueUrl"]
for number in range(15):
    sqs.send_message(QueueUrl=fair, MessageBody=f"noisy {number}", MessageGroupId="noisy")
sqs.receive_message(QueueUrl=fair, MaxNumberOfMessages=10)
sqs.send_message(QueueUrl=fair, MessageBody="quiet", MessageGroupId="quiet")
first = sqs.receive_message(QueueUrl=fair, MessageSystemAttributeNames=["MessageGroupId"])["Messages"][0]
assert first["Attributes"]["MessageGroupId"] == "quiet", first
# One trace id from the publisher to whoever receives.
sns, bus = boto3.client("sns"), boto3.client("events")
traced = sqs.create_queue(QueueName="traced")["QueueUrl"]
trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
for one in (sns, bus):
    one.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", trace))
topic = sns.create_topic(Name="traced")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(traced))
sns.publish(TopicArn=topic, Message="traced")
bus.put_rule(Name="traced", EventPattern=json.dumps({"source": ["traced"]}))
bus.put_targets(Rule="traced", Targets=[{"Id": "1", "Arn": arn(traced)}])
bus.put_events(Entries=[{"Source": "traced", "DetailType": "d", "Detail": "{}"}])
roots = []


def both_traced():
    answer = sqs.receive_message(
        QueueUrl=traced, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["AWSTraceHeader"])
    for message in answer.get("Messages", []):
        roots.append(message.get("Attributes", {}).get("AWSTraceHeader", ""))
    return len(roots) == 2


until("both came", both_traced)
assert all("1-5759e988-bd862e3fe1be46a994272793" in root for root in roots), roots
print("end ok")
