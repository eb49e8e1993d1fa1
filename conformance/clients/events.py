"""Events through boto3: SNS, EventBridge and Scheduler to queues and functions. Exits non-zero on the first surprise."""

import base64
import gzip
import io
import json
import threading
import time
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
from botocore.exceptions import ClientError
from common import until

ACCOUNT = "000000000000"
REGION = boto3.session.Session().region_name
ROLE = f"arn:aws:iam::{ACCOUNT}:role/events-role"
sns, sqs, lam, logs, s3, bus, scheduler = (
    boto3.client(name)
    for name in ("sns", "sqs", "lambda", "logs", "s3", "events", "scheduler")
)


def refused(code, words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, f"{found} instead of {code}"
        assert words in found["Message"], f"{found} does not say {words}"
        return
    raise AssertionError(f"{call} was not refused with {code}")


def queue(name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def receive(url, seconds=20):
    answer = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=seconds, MaxNumberOfMessages=10,
        MessageAttributeNames=["All"], AttributeNames=["All"],
    )
    messages = answer.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def receive_one(url):
    messages = receive(url)
    assert len(messages) == 1, messages
    return messages[0]


def function(name):
    """A function that prints its event on one line."""
    buffer = io.BytesIO()
    source = "import json\ndef handler(event, context):\n    print('EVENT ' + json.dumps(event))\n"
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("function.py", source)
    arn = lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler="function.handler", Role=ROLE,
        Code={"ZipFile": buffer.getvalue()}, Timeout=30,
    )["FunctionArn"]
    lam.get_waiter("function_active_v2").wait(FunctionName=name)
    return arn


def events_of(name):
    def look():
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        texts = [event["message"] for event in events]
        return [json.loads(text[6:]) for text in texts if text.startswith("EVENT ")]
    return look


def topics_and_queues():
    topic = sns.create_topic(Name="orders", Tags=[{"Key": "team", "Value": "shop"}])["TopicArn"]
    assert topic == f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
    assert sns.create_topic(Name="orders")["TopicArn"] == topic
    refused("InvalidParameter", "Topic Name", sns.create_topic, Name="a b")
    refused("NotFound", "Topic does not exist", sns.publish, TopicArn=topic + "x", Message="m")
    refused("InvalidParameter", "Empty message", sns.publish, TopicArn=topic, Message="")
    refused(
        "InvalidParameter", "SQS endpoint ARN", sns.subscribe,
        TopicArn=topic, Protocol="sqs", Endpoint="nowhere",
    )
    refused(
        "InvalidParameter", "FilterPolicy: Unrecognized match type pre", sns.subscribe,
        TopicArn=topic, Protocol="sqs", Endpoint=queue("wrapped")[1],
        Attributes={"FilterPolicy": json.dumps({"a": [{"pre": "x"}]})},
    )
    wrapped, wrapped_arn = queue("wrapped")
    raw, raw_arn = queue("raw")
    body, body_arn = queue("by-body")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=wrapped_arn)
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=raw_arn,
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps({"kind": ["new"], "size": [{"numeric": [">", 10]}]}),
        },
    )
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=body_arn,
        Attributes={
            "FilterPolicyScope": "MessageBody",
            "FilterPolicy": json.dumps({"order": {"state": [{"prefix": "pa"}]}}),
        },
    )
    attributes = {
        "kind": {"DataType": "String", "StringValue": "new"},
        "size": {"DataType": "Number", "StringValue": "11"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    text = json.dumps({"order": {"state": "paid"}})
    sent = sns.publish(
        TopicArn=topic, Message=text, Subject="An order", MessageAttributes=attributes
    )
    envelope = json.loads(receive_one(wrapped)["Body"])
    assert envelope["Type"] == "Notification" and envelope["Subject"] == "An order"
    assert envelope["MessageId"] == sent["MessageId"] and envelope["TopicArn"] == topic
    assert envelope["Message"] == text
    assert envelope["MessageAttributes"]["size"] == {"Type": "Number", "Value": "11"}
    assert envelope["MessageAttributes"]["blob"] == {"Type": "Binary", "Value": "AP8="}
    delivered = receive_one(raw)
    assert delivered["Body"] == text
    assert delivered["MessageAttributes"]["blob"]["BinaryValue"] == b"\x00\xff"
    assert json.loads(receive_one(body)["Body"])["Message"] == text
    attributes["size"]["StringValue"] = "9"
    batch = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": "1", "Message": "plain", "MessageAttributes": attributes},
            {"Id": "2", "Message": "x", "Subject": "two\nlines"},
        ],
    )
    assert [one["Id"] for one in batch["Successful"]] == ["1"]
    assert batch["Failed"][0]["Code"] == "InvalidParameter", batch
    assert json.loads(receive_one(wrapped)["Body"])["Message"] == "plain"
    assert receive(raw, 0) == [] and receive(body, 0) == []
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert sorted(one["Endpoint"] for one in listed) == sorted([wrapped_arn, raw_arn, body_arn])
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "3"
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "team", "Value": "shop"}]
    for one in listed:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    sns.delete_topic(TopicArn=topic)
    assert sns.list_topics()["Topics"] == []
    print("topics and queues ok")


def fifo_topics():
    topic = sns.create_topic(
        Name="steps.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    )["TopicArn"]
    url, arn = queue("steps.fifo", FifoQueue="true")
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    refused("InvalidParameter", "MessageGroupId", sns.publish, TopicArn=topic, Message="m")
    sent = [
        sns.publish(TopicArn=topic, Message=f"step {n}", MessageGroupId="g")["SequenceNumber"]
        for n in range(10)
    ]
    assert sent == sorted(sent) and len(sent[0]) == 20
    again = sns.publish(TopicArn=topic, Message="step 3", MessageGroupId="g")
    assert again["SequenceNumber"] == sent[3]
    got = []
    until("ten steps", lambda: got.extend(m["Body"] for m in receive(url)) or len(got) >= 10)
    assert got == [f"step {n}" for n in range(10)], got
    print("fifo topics ok")


def functions_of_topics():
    topic = sns.create_topic(Name="calls")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function("listener"))
    sns.publish(TopicArn=topic, Message="hello", Subject="s")
    [event] = until("the call", events_of("listener"))
    record = event["Records"][0]
    assert record["EventSource"] == "aws:sns" and record["Sns"]["Message"] == "hello"
    print("functions of topics ok")


class Endpoint(BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Endpoint.got.append((self.headers["x-amz-sns-message-type"], json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def endpoints():
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    topic = sns.create_topic(Name="web")["TopicArn"]
    address = f"http://127.0.0.1:{server.server_port}/hook"
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
    assert answer["SubscriptionArn"] == "pending confirmation"
    until("the question", lambda: Endpoint.got)
    kind, asked = Endpoint.got.pop()
    assert kind == "SubscriptionConfirmation"
    urllib.request.urlopen(asked["SubscribeURL"]).read()
    sns.publish(TopicArn=topic, Message="hello")
    until("the notification", lambda: Endpoint.got)
    kind, told = Endpoint.got.pop()
    assert kind == "Notification" and told["Message"] == "hello"
    urllib.request.urlopen(told["UnsubscribeURL"]).read()
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    server.shutdown()
    print("endpoints ok")


def dead_letters_of_topics():
    topic = sns.create_topic(Name="lost")["TopicArn"]
    url, arn = queue("lost-letters")
    sns.subscribe(
        TopicArn=topic, Protocol="lambda",
        Endpoint=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody",
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})},
    )
    sns.publish(TopicArn=topic, Message="to nobody")
    letter = receive_one(url)
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "NO_RESOURCE"
    assert json.loads(letter["Body"])["Records"][0]["Sns"]["Message"] == "to nobody"
    print("dead letters of topics ok")


def put(**entry):
    entry = {"Source": "shop", "DetailType": "Order", **entry}
    entry["Detail"] = json.dumps(entry.get("Detail", {}))
    answer = bus.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer
    return answer["Entries"][0]["EventId"]


def rules_and_targets():
    refused(
        "InvalidEventPatternException",
        'Event pattern is not valid. Reason: "source" must be an object or an array',
        bus.put_rule, Name="bad", EventPattern=json.dumps({"source": "shop"}),
    )
    refused(
        "ValidationException", "Parameter ScheduleExpression is not valid.",
        bus.put_rule, Name="bad", ScheduleExpression="rate(1 minutes)",
    )
    refused(
        "ResourceNotFoundException", "Rule none does not exist on EventBus default.",
        bus.describe_rule, Name="none",
    )
    url, arn = queue("paid")
    fifo_url, fifo_arn = queue("paid.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    lost_url, lost_arn = queue("paid-lost")
    rule = bus.put_rule(
        Name="paid",
        EventPattern=json.dumps({"source": ["shop"], "detail": {"state": [{"prefix": "pa"}]}}),
    )["RuleArn"]
    assert rule == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/paid"
    bus.put_targets(Rule="paid", Targets=[
        {"Id": "queue", "Arn": arn, "InputTransformer": {
            "InputPathsMap": {"id": "$.detail.id", "state": "$.detail.state"},
            "InputTemplate": '{"order": <id>, "text": "it is <state>", "rule": <aws.events.rule-name>}',
        }},
        {"Id": "fifo", "Arn": fifo_arn, "SqsParameters": {"MessageGroupId": "g"}, "InputPath": "$.detail"},
        {"Id": "function", "Arn": function("payer")},
        {
            "Id": "nowhere", "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody",
            "DeadLetterConfig": {"Arn": lost_arn}, "RetryPolicy": {"MaximumRetryAttempts": 0},
        },
    ])
    put(Detail={"state": "new"})
    put(Detail={"state": "paid", "id": 7}, Resources=["r"])
    assert json.loads(receive_one(url)["Body"]) == {"order": 7, "text": "it is paid", "rule": "paid"}
    assert json.loads(receive_one(fifo_url)["Body"]) == {"state": "paid", "id": 7}
    [event] = until("the event", events_of("payer"))
    assert event["detail-type"] == "Order" and event["detail"]["id"] == 7
    assert event["resources"] == ["r"] and event["account"] == ACCOUNT
    letter = receive_one(lost_url)["MessageAttributes"]
    assert letter["RULE_ARN"]["StringValue"] == rule
    assert letter["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    failed = bus.put_events(Entries=[
        {"Source": "aws.s3", "DetailType": "x", "Detail": "{}"},
        {"Source": "shop", "DetailType": "x", "Detail": "no"},
        {"Source": "shop", "Detail": "{}"},
    ])
    assert [one["ErrorCode"] for one in failed["Entries"]] == [
        "NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument"]
    assert bus.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == ["paid"]
    refused("ValidationException", "has targets", bus.delete_rule, Name="paid")
    targets = bus.list_targets_by_rule(Rule="paid")["Targets"]
    assert len(targets) == 4
    bus.disable_rule(Name="paid")
    put(Detail={"state": "paid"})
    assert receive(url, 0) == []
    bus.remove_targets(Rule="paid", Ids=[target["Id"] for target in targets])
    bus.delete_rule(Name="paid")
    assert bus.list_rules()["Rules"] == []
    assert bus.test_event_pattern(
        EventPattern=json.dumps({"source": ["a"]}),
        Event=json.dumps({"id": "1", "account": "1", "source": "a", "time": "t", "region": "r",
                          "detail-type": "d"}),
    )["Result"]
    print("rules and targets ok")


def buses_archives_and_replays():
    arn = bus.create_event_bus(Name="orders", Tags=[{"Key": "k", "Value": "v"}])["EventBusArn"]
    refused("ResourceAlreadyExistsException", "already exists", bus.create_event_bus, Name="orders")
    assert [one["Name"] for one in bus.list_event_buses()["EventBuses"]] == ["default", "orders"]
    bus.create_archive(ArchiveName="all", EventSourceArn=arn)
    url, queue_arn = queue("forwarded")
    topic = sns.create_topic(Name="forwarded")["TopicArn"]
    topic_url, topic_queue = queue("forwarded-topic")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue)
    logs.create_log_group(logGroupName="/events")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/events"
    bus.put_rule(Name="on", EventPattern=json.dumps({"source": ["shop"]}))
    bus.put_targets(Rule="on", Targets=[{"Id": "bus", "Arn": arn, "RoleArn": ROLE}])
    bus.put_rule(Name="to", EventBusName="orders", EventPattern=json.dumps({"source": ["shop"]}))
    bus.put_targets(Rule="to", EventBusName="orders", Targets=[
        {"Id": "1", "Arn": queue_arn}, {"Id": "2", "Arn": topic}, {"Id": "3", "Arn": group},
    ])
    identity = put(Detail={"n": 1})
    assert json.loads(receive_one(url)["Body"])["id"] == identity
    wrapped = json.loads(receive_one(topic_url)["Body"])
    assert json.loads(wrapped["Message"])["detail"] == {"n": 1}
    until("the line", lambda: logs.filter_log_events(logGroupName="/events")["events"])
    assert bus.describe_archive(ArchiveName="all")["EventCount"] == 1
    bus.start_replay(
        ReplayName="again", EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:archive/all",
        EventStartTime=time.time() - 3600, EventEndTime=time.time() + 3600,
        Destination={"Arn": arn},
    )
    replayed = json.loads(receive_one(url)["Body"])
    assert replayed["id"] == identity and replayed["replay-name"] == "again"
    until("the end", lambda: bus.describe_replay(ReplayName="again")["State"] == "COMPLETED")
    assert bus.describe_archive(ArchiveName="all")["EventCount"] == 1
    bus.put_permission(
        EventBusName="orders", Action="events:PutEvents", Principal="111111111111", StatementId="s")
    other = boto3.client(
        "events", aws_access_key_id="111111111111", aws_secret_access_key="x")
    entry = {"Source": "shop", "DetailType": "d", "Detail": "{}", "EventBusName": arn}
    assert other.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert json.loads(receive_one(url)["Body"])["account"] == "111111111111"
    bus.remove_permission(EventBusName="orders", StatementId="s")
    refused("AccessDeniedException", "events:PutEvents", other.put_events, Entries=[entry])
    for name, on in (("on", "default"), ("to", "orders")):
        ids = [t["Id"] for t in bus.list_targets_by_rule(Rule=name, EventBusName=on)["Targets"]]
        bus.remove_targets(Rule=name, EventBusName=on, Ids=ids)
        bus.delete_rule(Name=name, EventBusName=on)
    bus.delete_event_bus(Name="orders")
    print("buses, archives and replays ok")


def bucket(name):
    here = {} if REGION == "us-east-1" else {
        "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    s3.create_bucket(Bucket=name, **here)


def objects():
    bucket("watched")
    s3.put_bucket_notification_configuration(
        Bucket="watched", NotificationConfiguration={"EventBridgeConfiguration": {}})
    bus.put_rule(Name="objects", EventPattern=json.dumps({
        "source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": {"object": {"key": [{"suffix": ".csv"}]}},
    }))
    bus.put_targets(Rule="objects", Targets=[{"Id": "f", "Arn": function("importer")}])
    s3.put_object(Bucket="watched", Key="a.txt", Body=b"1")
    s3.put_object(Bucket="watched", Key="a.csv", Body=b"1")
    [event] = until("the object", events_of("importer"))
    assert event["detail"]["object"]["key"] == "a.csv", event
    print("objects ok")


def objects_to_topics():
    """S3 publishes a test event, then what happens, under a subject of its own."""
    url, arn = queue("published")
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    bucket("published")
    wanted = {"TopicConfigurations": [{
        "Id": "t", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".txt"}]}},
    }]}
    s3.put_bucket_notification_configuration(
        Bucket="published", NotificationConfiguration=wanted)
    got = s3.get_bucket_notification_configuration(Bucket="published")["TopicConfigurations"]
    assert got == wanted["TopicConfigurations"], got
    test = json.loads(json.loads(receive_one(url)["Body"])["Message"])
    assert test["Event"] == "s3:TestEvent", test
    s3.put_object(Bucket="published", Key="a.txt", Body=b"1")
    envelope = json.loads(receive_one(url)["Body"])
    assert envelope["Subject"] == "Amazon S3 Notification", envelope
    [record] = json.loads(envelope["Message"])["Records"]
    assert record["s3"]["object"]["key"] == "a.txt", record
    absent = {"TopicConfigurations": [{
        "TopicArn": topic + "-absent", "Events": ["s3:ObjectCreated:*"]}]}
    refused("InvalidArgument", "Unable to validate", s3.put_bucket_notification_configuration,
            Bucket="published", NotificationConfiguration=absent)
    print("objects to topics ok")


def schedules():
    window = {"Mode": "OFF"}
    url, arn = queue("on-time")
    target = {"Arn": arn, "RoleArn": ROLE, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'}
    refused(
        "ValidationException", "Invalid Schedule Expression rate(1 minutes).",
        scheduler.create_schedule, Name="bad", ScheduleExpression="rate(1 minutes)",
        FlexibleTimeWindow=window, Target=target,
    )
    refused(
        "ResourceNotFoundException", "Schedule none does not exist.",
        scheduler.get_schedule, Name="none",
    )
    scheduler.create_schedule_group(Name="jobs")
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 2))
    once = dict(
        Name="once", GroupName="jobs", ScheduleExpression=f"at({soon})", FlexibleTimeWindow=window,
        Target=target, ActionAfterCompletion="DELETE", ClientToken="token",
    )
    made = scheduler.create_schedule(**once)["ScheduleArn"]
    assert made == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/jobs/once"
    assert scheduler.create_schedule(**once)["ScheduleArn"] == made
    refused("ConflictException", "already exists", scheduler.create_schedule, **{**once, "ClientToken": "x"})
    assert scheduler.list_schedules(GroupName="jobs")["Schedules"][0]["Name"] == "once"
    assert json.loads(receive_one(url)["Body"]) == {"at": soon + "Z"}
    assert scheduler.list_schedules(GroupName="jobs")["Schedules"] == []
    scheduler.delete_schedule_group(Name="jobs")
    # A rate begins at once.
    scheduler.create_schedule(
        Name="call", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow=window,
        Target={"Arn": function("ticker"), "RoleArn": ROLE},
    )
    [event] = until("the call", events_of("ticker"))
    assert event["detail-type"] == "Scheduled Event" and event["source"] == "aws.scheduler"
    scheduler.create_schedule(
        Name="anything", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow=window,
        ScheduleExpressionTimezone="Asia/Tokyo",
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": ROLE,
            "Input": json.dumps({"QueueUrl": url, "MessageBody": "by name"}),
        },
    )
    assert receive_one(url)["Body"] == "by name"
    got = scheduler.get_schedule(Name="anything")
    assert got["State"] == "ENABLED" and got["ScheduleExpressionTimezone"] == "Asia/Tokyo"
    scheduler.create_schedule(
        Name="event", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow=window,
        Target={
            "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default", "RoleArn": ROLE,
            "EventBridgeParameters": {"DetailType": "Tick", "Source": "clock"},
            "Input": json.dumps({"n": 1}),
        },
        State="DISABLED",
    )
    bus.put_rule(Name="ticks", EventPattern=json.dumps({"source": ["clock"]}))
    bus.put_targets(Rule="ticks", Targets=[{"Id": "q", "Arn": arn}])
    disabled = scheduler.get_schedule(Name="event")
    scheduler.update_schedule(
        Name="event", ScheduleExpression="rate(2 hours)", FlexibleTimeWindow=window,
        Target=disabled["Target"],
    )
    tick = json.loads(receive_one(url)["Body"])
    assert tick["detail"] == {"n": 1} and tick["resources"] == [disabled["Arn"]]
    for one in scheduler.list_schedules()["Schedules"]:
        scheduler.delete_schedule(Name=one["Name"], GroupName=one["GroupName"])
    print("schedules ok")


def other_accounts():
    """Another account's queue takes what its policy lets in."""
    theirs = boto3.client(
        "sqs", aws_access_key_id="111111111111", aws_secret_access_key="x")
    url = theirs.create_queue(QueueName="theirs")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:111111111111:theirs"
    lost_url, lost_arn = queue("theirs-lost")
    rule = bus.put_rule(Name="abroad", EventPattern=json.dumps({"source": ["abroad"]}))["RuleArn"]
    bus.put_targets(Rule="abroad", Targets=[
        {"Id": "q", "Arn": arn, "DeadLetterConfig": {"Arn": lost_arn}}])
    put(Source="abroad")
    letter = receive_one(lost_url)["MessageAttributes"]
    assert letter["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS", letter
    theirs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }],
    })})
    put(Source="abroad", Detail={"n": 1})
    messages = theirs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(messages[0]["Body"])["detail"] == {"n": 1}
    print("other accounts ok")


def text_messages():
    """What cannot leave is written down, and this machine may read it."""
    sns.publish(PhoneNumber="+15551234567", Message="your code is 123")
    request = urllib.request.Request(
        sns.meta.endpoint_url + "/_kagero/messages", headers={"x-kagero-command": "messages"})
    [message] = json.load(urllib.request.urlopen(request))
    assert message["endpoint"] == "+15551234567" and message["message"] == "your code is 123"
    print("text messages ok")


def subscribers_of_logs():
    """A function gets what another function logs and a filter lets through."""
    speaker, reader = "speaker", function("log-reader")
    function(speaker)
    lam.invoke(FunctionName=speaker, Payload=json.dumps({"level": "quiet"}))
    group = f"/aws/lambda/{speaker}"
    until("a log group", lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    put = {"logGroupName": group, "filterName": "loud", "filterPattern": '"loud"'}
    refused(
        "InvalidParameterException", "Could not execute the lambda function",
        logs.put_subscription_filter, destinationArn=reader + "s", **put,
    )
    lam.add_permission(
        FunctionName="log-reader", StatementId="logs", Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com", SourceArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*",
    )
    logs.put_subscription_filter(destinationArn=reader, **put)
    [shown] = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    assert shown["destinationArn"] == reader and shown["distribution"] == "ByLogStream", shown
    for level in ("quiet", "loud"):
        lam.invoke(FunctionName=speaker, Payload=json.dumps({"level": level}))
    [event] = until("a subscriber's event", events_of("log-reader"))
    message = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    assert message["messageType"] == "DATA_MESSAGE" and message["logGroup"] == group, message
    [line] = message["logEvents"]
    assert line["message"] == 'EVENT {"level": "loud"}\n', line
    logs.delete_subscription_filter(logGroupName=group, filterName="loud")
    assert not logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    print("subscribers of logs ok")


topics_and_queues()
fifo_topics()
functions_of_topics()
endpoints()
dead_letters_of_topics()
rules_and_targets()
buses_archives_and_replays()
objects()
objects_to_topics()
schedules()
other_accounts()
text_messages()
subscribers_of_logs()
print("all ok")
