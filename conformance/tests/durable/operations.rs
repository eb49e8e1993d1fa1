//! The operations through boto3 and the AWS CLI.

use conformance::{Script, Server, python, until};
use serde_json::{Value, json};

use crate::support::{begin, callback, durable, ended, invoke, layer};

const SOURCE: &str = r#"
from aws_durable_execution_sdk_python import durable_execution

@durable_execution
def handler(event, context):
    return context.create_callback(name="answer").result()
"#;

const CLIENT: &str = r#"
import boto3, sys
client = boto3.client("lambda")
arn, callback = sys.argv[1:]
got = client.get_durable_execution(DurableExecutionArn=arn)
assert got["Status"] == "RUNNING" and got["InputPayload"] == '{"n":1}', got
assert got["DurableConfig"] == {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1}, got
bare = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
assert "InputPayload" not in bare and bare["ExecutionDataIncluded"] is False, bare
first = client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=1)
assert first["Events"][0]["EventType"] == "ExecutionStarted", first
pages = client.get_paginator("get_durable_execution_history").paginate(
    DurableExecutionArn=arn, PaginationConfig={"PageSize": 1})
assert [event["EventId"] for page in pages for event in page["Events"]] == [1, 2, 3]
listed = client.list_durable_executions_by_function(FunctionName="waiting", Statuses=["RUNNING"])
assert [it["DurableExecutionArn"] for it in listed["DurableExecutions"]] == [arn], listed
client.pause_durable_execution(DurableExecutionArn=arn, Reason="tea")
got = client.get_durable_execution(DurableExecutionArn=arn)
assert got["Status"] == "PAUSED" and got["PauseDetails"]["Reason"] == "tea", got
client.resume_durable_execution(DurableExecutionArn=arn)
client.send_durable_execution_callback_heartbeat(CallbackId=callback)
try:
    client.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken="QUJD", Updates=[])
    raise SystemExit("a forged token was taken")
except client.exceptions.InvalidParameterValueException as error:
    assert "Invalid checkpoint token" in str(error), error
try:
    client.delete_durable_execution(DurableExecutionArn=arn)
    raise SystemExit("a running execution was deleted")
except client.exceptions.ResourceConflictException:
    pass
client.send_durable_execution_callback_failure(
    CallbackId=callback, Error={"ErrorType": "Refused", "ErrorMessage": "not today"})
try:
    client.send_durable_execution_callback_success(CallbackId=callback, Result=b"late")
    raise SystemExit("a callback was completed twice")
except client.exceptions.CallbackTimeoutException:
    pass
"#;

#[test]
fn boto3_and_the_cli_manage_executions() {
    let server = Server::start_in_region("us-east-1");
    let mut api = server.api();
    let layer = layer(&mut api, "python");
    durable(
        &mut api,
        "waiting",
        "waiting.py",
        SOURCE,
        &layer,
        &json!({}),
    );
    let arn = begin(&mut api, "waiting", &json!({"n": 1}));
    let id = callback(&mut api, &arn);
    Script::new(python(), &server)
        .args(&["-c", CLIENT, &arn, &id])
        .run()
        .expect_success();
    assert_eq!(ended(&mut api, &arn)["Status"], "FAILED");

    let cli = |arguments: &[&str]| Script::aws(&server, arguments).run();
    let name = [("x-amz-durable-execution-name", "order-7")];
    let named = [name[0], ("x-amz-invocation-type", "Event")];
    let event = json!({"n": 2});
    let first = invoke(&mut api, "waiting", &event, &named).expect(202);
    let arn = crate::support::execution_of(&first);
    let again = invoke(&mut api, "waiting", &event, &named).expect(202);
    assert_eq!(crate::support::execution_of(&again), arn);
    let other = invoke(&mut api, "waiting", &json!({"n": 3}), &named);
    assert_eq!(other.status, 409);
    assert_eq!(
        other.error_code(),
        "DurableExecutionAlreadyStartedException"
    );
    let stop = [
        "lambda",
        "stop-durable-execution",
        "--durable-execution-arn",
        &arn,
    ];
    let stopped = cli(&stop).expect_success().json();
    assert!(stopped["StopTimestamp"].is_string());
    let get = [
        "lambda",
        "get-durable-execution",
        "--durable-execution-arn",
        &arn,
    ];
    assert_eq!(cli(&get).expect_success().json()["Status"], "STOPPED");
    let list = [
        "lambda",
        "list-durable-executions-by-function",
        "--function-name",
        "waiting",
    ];
    let listed = cli(&list).expect_success().json();
    assert_eq!(listed["DurableExecutions"].as_array().unwrap().len(), 2);

    // Which version replays must be certain.
    let path = "/2015-03-31/functions/waiting/invocations";
    let refused = api.lambda("POST", path, &json!({}));
    assert_eq!(refused.status, 400);
    let message = "You cannot invoke a durable function using an unqualified ARN.";
    assert!(refused.text().contains(message), "{}", refused.text());
}

#[test]
fn the_event_bus_learns_of_each_status() {
    let server = Server::start();
    let mut api = server.api();
    let queue = json!({"QueueName": "statuses"});
    let queue = api.json("sqs", "CreateQueue", &queue).expect(200).json();
    let url = queue["QueueUrl"].clone();
    let attributes = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    let attributes = api
        .json("sqs", "GetQueueAttributes", &attributes)
        .expect(200)
        .json();
    let pattern = json!({
        "source": ["aws.lambda"],
        "detail-type": ["Durable Execution Status Change"],
    });
    let rule = json!({"Name": "statuses", "EventPattern": pattern.to_string()});
    let _ = api.json("events", "PutRule", &rule).expect(200);
    let target = json!({"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]});
    let targets = json!({"Rule": "statuses", "Targets": [target]});
    let _ = api.json("events", "PutTargets", &targets).expect(200);

    let layer = layer(&mut api, "python");
    let source = "from aws_durable_execution_sdk_python import durable_execution\n\
                  @durable_execution\ndef handler(event, context):\n    return 1\n";
    durable(&mut api, "quick", "quick.py", source, &layer, &json!({}));
    let arn = begin(&mut api, "quick", &json!({}));
    let mut seen: Vec<Value> = Vec::new();
    until("both statuses arrive", || {
        let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
        let page = api
            .json("sqs", "ReceiveMessage", &receive)
            .expect(200)
            .json();
        for message in page["Messages"].as_array().into_iter().flatten() {
            let event: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            seen.push(event["detail"].clone());
        }
        (seen.len() >= 2).then_some(())
    });
    seen.sort_by_key(|detail| detail["status"].to_string());
    assert_eq!(seen[0]["status"], "RUNNING");
    assert_eq!(seen[1]["status"], "SUCCEEDED");
    assert!(
        seen.iter()
            .all(|detail| detail["durableExecutionArn"] == json!(arn))
    );
    assert!(seen[0].get("endTimestamp").is_none() && seen[1]["endTimestamp"].is_string());
}

/// What a function's role may do with its own executions is what its policies say.
#[test]
fn a_role_needs_permission_to_checkpoint() {
    let server = Server::start_enforcing();
    let layer = conformance::durable_sdk("python");
    let transcript = Script::new(python(), &server)
        .args(&["-c", ENFORCED, layer.to_str().unwrap()])
        .run();
    transcript.expect_success();
}

const ENFORCED: &str = r#"
import boto3, io, json, sys, time, zipfile
SOURCE = """
from aws_durable_execution_sdk_python import durable_execution
@durable_execution
def handler(event, context):
    if event.get("function"):
        return context.invoke(event["function"], {}, name="other")
    return context.step(lambda _: 1, name="one")
"""
iam, client = boto3.client("iam"), boto3.client("lambda")
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"Service": "lambda.amazonaws.com"}}]}
role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

def package(source):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("f.py", source)
    return {"ZipFile": archive.getvalue()}

layer = client.publish_layer_version(
    LayerName="sdk", Content={"ZipFile": open(sys.argv[1], "rb").read()})["LayerVersionArn"]
common = dict(Runtime="python3.13", Role=role, Handler="f.handler", Timeout=30, MemorySize=256)
client.create_function(FunctionName="durable", Code=package(SOURCE), Layers=[layer],
    DurableConfig={"ExecutionTimeout": 60}, **common)
client.create_function(FunctionName="plain", Code=package("def handler(e, c): return 2"), **common)
client.get_waiter("function_active_v2").wait(FunctionName="durable")

def call(event):
    answer = client.invoke(FunctionName="durable", Qualifier="$LATEST", Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())

def allow(action, resource):
    policy = {"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    iam.put_role_policy(RoleName="r", PolicyName=action.split(":")[1], PolicyDocument=json.dumps(policy))
    # The session of before is used while it lasts: environments of the next version have another.
    client.update_function_configuration(FunctionName="durable", Description=action)
    client.get_waiter("function_updated_v2").wait(FunctionName="durable")

failed, answer = call({})
assert failed and "lambda:CheckpointDurableExecution" in answer["errorMessage"], answer
functions = role.split(":role/")[0].replace(":iam::", f":lambda:{client.meta.region_name}:")
allow("lambda:CheckpointDurableExecution", f"{functions}:function:durable:*")
assert call({}) == (None, 1)
failed, answer = call({"function": "plain"})
assert failed and "lambda:InvokeFunction" in answer["errorMessage"], answer
allow("lambda:InvokeFunction", f"{functions}:function:plain")
assert call({"function": "plain"}) == (None, 2)
"#;
