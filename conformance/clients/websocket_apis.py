"""WebSocket APIs through boto3 and a WebSocket client. Exits non-zero on the first surprise."""

import io
import json
import os
import socket
import time
import urllib.parse
import zipfile

import boto3
import websockets
from botocore.exceptions import ClientError
from websockets.sync.client import connect as open_socket

ROLE = "arn:aws:iam::000000000000:role/ws"
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
PORT = int(ENDPOINT.rsplit(":", 1)[1])
REGION = os.environ["AWS_DEFAULT_REGION"]
lam, api, sqs = (boto3.client(name) for name in ("lambda", "apigatewayv2", "sqs"))

SOURCE = """
import json, os, urllib.parse, urllib.request
def post(path, body, **headers):
    url = os.environ["AWS_ENDPOINT_URL"] + path
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="POST")).read()
def handler(event, context):
    said = event["requestContext"]
    query = event.get("queryStringParameters") or {}
    if said["routeKey"] == "$connect":
        if query.get("refuse"):
            return {"statusCode": 403, "body": "not you"}
        return {"statusCode": 200, "headers": {
            "Sec-WebSocket-Protocol": event["headers"].get("sec-websocket-protocol", "")}
            if "sec-websocket-protocol" in event["headers"] else {}}
    if said["routeKey"] == "$disconnect":
        message = {"QueueUrl": os.environ["QUEUE"], "MessageBody": json.dumps(event)}
        post("/", json.dumps(message).encode(), x_amz_target="AmazonSQS.SendMessage",
             content_type="application/x-amz-json-1.0")
        return {}
    if said["routeKey"] == "fail":
        return 1 / 0
    if said["routeKey"] == "push":
        connection = urllib.parse.quote(said["connectionId"], safe="")
        post(f"/_aws/execute-api/{said['apiId']}/{said['stage']}/@connections/{connection}",
             b"pushed")
    return {"statusCode": 200, "body": json.dumps({"event": event})}
def authorize(event, context):
    ok = event["queryStringParameters"]["token"] == "yes"
    return {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [
        {"Action": "execute-api:Invoke", "Effect": "Allow" if ok else "Deny",
         "Resource": event["methodArn"]}]}, "context": {"who": "me"}}
"""


def create(name, handler, **variables):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", SOURCE)
    return lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler=f"index.{handler}", Role=ROLE,
        Code={"ZipFile": buffer.getvalue()}, Timeout=20,
        Environment={"Variables": variables})["FunctionArn"]


queue = sqs.create_queue(QueueName="ended")["QueueUrl"]
handler = create("socket", "handler", QUEUE=queue)
authorizer = create("authorize", "authorize")


def make(name, protected=False):
    made = api.create_api(Name=name, ProtocolType="WEBSOCKET",
                          RouteSelectionExpression="$request.body.action")
    api_id = made["ApiId"]
    assert made["ApiEndpoint"].startswith("ws://"), made
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{handler}/invocations"
    integration = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri)["IntegrationId"]
    target = f"integrations/{integration}"
    for key in ("$disconnect", "$default", "echo", "push", "fail", "quiet"):
        more = {} if key in ("$disconnect", "quiet") else {
            "RouteResponseSelectionExpression": "$default"}
        route = api.create_route(ApiId=api_id, RouteKey=key, Target=target, **more)["RouteId"]
        if more:
            api.create_route_response(ApiId=api_id, RouteId=route, RouteResponseKey="$default")
    more = {}
    if protected:
        asked = api.create_authorizer(
            ApiId=api_id, Name="a", AuthorizerType="REQUEST",
            AuthorizerUri=uri.replace(handler, authorizer),
            IdentitySource=["route.request.querystring.token"])
        more = {"AuthorizationType": "CUSTOM", "AuthorizerId": asked["AuthorizerId"]}
    api.create_route(ApiId=api_id, RouteKey="$connect", Target=target, **more)
    api.create_stage(ApiId=api_id, StageName="dev", StageVariables={"v": "1"})
    api.create_deployment(ApiId=api_id, StageName="dev")
    return api_id, urllib.parse.urlparse(made["ApiEndpoint"]).netloc


def dial(host, path="/dev", **more):
    return open_socket(f"ws://{host}{path}", sock=socket.create_connection(("127.0.0.1", PORT)),
                       open_timeout=60, **more)


def refused(status, host, path):
    try:
        dial(host, path)
    except websockets.exceptions.InvalidStatus as error:
        assert error.response.status_code == status, error
        return error.response.body
    raise AssertionError("the handshake was not refused")


def ask(client, message):
    client.send(message)
    return json.loads(client.recv(timeout=60))


def manage(api_id):
    return boto3.client("apigatewaymanagementapi",
                        endpoint_url=f"{ENDPOINT}/_aws/execute-api/{api_id}/dev")


api_id, host = make("chat")
with dial(host, "/dev?x=1", subprotocols=["chat"]) as client:
    assert client.subprotocol == "chat"
    event = ask(client, '{"action":"echo","n":1}')["event"]
    said = event["requestContext"]
    assert event["body"] == '{"action":"echo","n":1}' and event["isBase64Encoded"] is False
    assert said["routeKey"] == "echo" and said["eventType"] == "MESSAGE", said
    assert said["stage"] == "dev" and said["apiId"] == api_id and said["messageId"], said
    assert event["stageVariables"] == {"v": "1"}, event
    connection = said["connectionId"]
    for other in ("not json", '{"action":"unknown"}', "[]"):
        assert ask(client, other)["event"]["requestContext"]["routeKey"] == "$default", other
    complaint = ask(client, '{"action":"fail"}')
    assert complaint["message"] == "Internal server error", complaint
    assert complaint["connectionId"] == connection, complaint
    client.send('{"action":"push"}')
    got = {client.recv(timeout=60) for _ in range(2)}
    assert "pushed" in got, got
    client.send('{"action":"quiet"}')
    client.ping().wait(60)

    control = manage(api_id)
    control.post_to_connection(ConnectionId=connection, Data=b"from outside")
    assert client.recv(timeout=60) == "from outside"
    known = control.get_connection(ConnectionId=connection)
    assert known["Identity"]["SourceIp"] == "127.0.0.1", known
    assert known["ConnectedAt"] <= known["LastActiveAt"], known
    try:
        control.post_to_connection(ConnectionId=connection, Data=b"x" * (128 * 1024 + 1))
        raise AssertionError("too large a message was taken")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "PayloadTooLargeException", error
    control.delete_connection(ConnectionId=connection)
    try:
        client.recv(timeout=60)
        raise AssertionError("the connection lives on")
    except websockets.exceptions.ConnectionClosed as closed:
        assert closed.rcvd.code == 1000, closed
ended = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
ended = json.loads(ended[0]["Body"])["requestContext"]
assert ended["eventType"] == "DISCONNECT" and ended["connectionId"] == connection, ended
try:
    control.post_to_connection(ConnectionId=connection, Data=b"x")
    raise AssertionError("a connection that is gone took a message")
except control.exceptions.GoneException as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 410, error
print("messages ok", flush=True)

assert refused(403, host, "/dev?refuse=1") == b"not you"
refused(404, host, "/none")
guarded, guarded_host = make("guarded", protected=True)
refused(401, guarded_host, "/dev")
refused(403, guarded_host, "/dev?token=no")
with dial(guarded_host, "/dev?token=yes") as client:
    said = ask(client, '{"action":"echo"}')["event"]["requestContext"]
    assert said["authorizer"] == {"principalId": "me", "who": "me"}, said
print("handshakes ok", flush=True)

# Templates make of a message what a function and a table's API take.
table = boto3.client("dynamodb")
table.create_table(
    TableName="notes", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
table.get_waiter("table_exists").wait(TableName="notes")
mapped = api.create_api(Name="mapped", ProtocolType="WEBSOCKET",
                        RouteSelectionExpression="$request.body.action")["ApiId"]


def integrate(key, response, **settings):
    made = api.create_integration(
        ApiId=mapped, TemplateSelectionExpression="\\$default", **settings)["IntegrationId"]
    for selected, template in response.items():
        api.create_integration_response(
            ApiId=mapped, IntegrationId=made, IntegrationResponseKey=selected,
            TemplateSelectionExpression="\\$default", ResponseTemplates={"$default": template})
    route = api.create_route(ApiId=mapped, RouteKey=key, Target=f"integrations/{made}",
                             RouteResponseSelectionExpression="$default")["RouteId"]
    api.create_route_response(ApiId=mapped, RouteId=route, RouteResponseKey="$default")


integrate("keep", {"200": '{"kept": true}', "$default": '{"kept": false}'},
          IntegrationType="AWS", IntegrationMethod="POST", CredentialsArn=ROLE,
          IntegrationUri=f"arn:aws:apigateway:{REGION}:dynamodb:action/PutItem",
          RequestTemplates={"$default": """{"TableName": "$input.path('$.table')", "Item": {
              "id": {"S": "$context.connectionId"}, "text": {"S": $input.json('$.text')}}}"""})
integrate("$connect", {}, IntegrationType="MOCK",
          RequestTemplates={"$default": '#if($input.params("who") == "me"){"statusCode": 200}'
                                        '#else{"statusCode": 403}#end'})
api.create_stage(ApiId=mapped, StageName="dev", AutoDeploy=True)
mapped_host = f"{mapped}.execute-api.{REGION}.localhost:{PORT}"
refused(403, mapped_host, "/dev?who=you")
with dial(mapped_host, "/dev?who=me") as client:
    assert ask(client, '{"action": "keep", "table": "none", "text": "x"}') == {"kept": False}
    assert ask(client, json.dumps({"action": "keep", "table": "notes", "text": 'a "note"'})) == {"kept": True}
    [item] = table.scan(TableName="notes")["Items"]
    assert item["text"] == {"S": 'a "note"'}, item
print("templates ok", flush=True)

# AWS's limits: 32 KB a frame, 128 KB a message.
for message in ("x" * (33 * 1024), ["x" * (32 * 1024)] * 5):
    with dial(host) as client:
        try:
            client.send(message)
            client.recv(timeout=60)
            raise AssertionError("too much was taken")
        except websockets.exceptions.ConnectionClosed as closed:
            assert closed.rcvd is None or closed.rcvd.code == 1009, closed
with dial(host) as client:
    text = json.dumps({"action": "echo", "pad": "x" * 100_000})
    pieces = [text[at:at + 30_000] for at in range(0, len(text), 30_000)]
    client.send(pieces)
    assert json.loads(client.recv(timeout=60))["event"]["body"] == text
    api.delete_api(ApiId=api_id)
    try:
        client.recv(timeout=60)
    except websockets.exceptions.ConnectionClosed as closed:
        assert closed.rcvd.code == 1001, closed
print("limits ok", flush=True)
