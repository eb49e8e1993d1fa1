"""HTTP APIs through boto3 and plain HTTP. Exits non-zero on the first surprise."""

import base64
import http.client
import http.server
import io
import json
import os
import threading
import time
import urllib.parse
import zipfile

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/http"
PORT = int(os.environ["AWS_ENDPOINT_URL"].rsplit(":", 1)[1])
REGION = os.environ["AWS_DEFAULT_REGION"]
lam, api, sqs, logs, events = (
    boto3.client(name) for name in ("lambda", "apigatewayv2", "sqs", "logs", "events"))

ECHO = """
import json
def handler(event, context):
    if "authorize" in (event.get("headers") or {}).get("x-what", ""):
        pass
    return event if event.get("rawPath") != "/boom" else 1 / 0
def shaped(event, context):
    if event["path"].endswith("/malformed"):
        return {"colour": "red"}
    return {"statusCode": 201, "headers": {"X-One": "1", "Content-Type": "text/x"},
            "multiValueHeaders": {"X-Two": ["a", "b"]},
            "body": "/wA=", "isBase64Encoded": True} if not event["path"].endswith("/event") else {
            "statusCode": 200, "body": json.dumps(event)}
def simple(event, context):
    token = event["identitySource"][0]
    if token == "broken":
        raise RuntimeError("no")
    return {"isAuthorized": token == "yes", "context": {"who": "me", "call": context.aws_request_id}}
def policy(event, context):
    effect = "Allow" if event["identitySource"] == "yes" else "Deny"
    return {"principalId": "p", "policyDocument": {"Version": "2012-10-17", "Statement": [
        {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}]},
        "context": {"n": 5}}
"""


def create(name, handler):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", ECHO)
    made = lam.create_function(
        FunctionName=name, Runtime="python3.12", Handler=f"index.{handler}", Role=ROLE,
        Code={"ZipFile": buffer.getvalue()}, Timeout=20)
    return made["FunctionArn"]


def call(host, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body, {"Host": host, **(headers or {})})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


def refused(code, status, function, **arguments):
    try:
        function(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{function} was not refused with {code}")


def new(name, **more):
    made = api.create_api(Name=name, ProtocolType="HTTP", **more)
    host = urllib.parse.urlparse(made["ApiEndpoint"]).netloc
    assert host.startswith(made["ApiId"] + ".execute-api." + REGION), host
    return made["ApiId"], host


def route(api_id, key, integration, **more):
    return api.create_route(
        ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}", **more)["RouteId"]


echo, shaped, simple, policy = (create(name, name) for name in (
    "handler", "shaped", "simple", "policy"))


def quick():
    made = api.create_api(Name="quick", ProtocolType="HTTP", Target=echo)
    host = urllib.parse.urlparse(made["ApiEndpoint"]).netloc
    response, body = call(host, "/a%20b/c?x=1&x=2", "POST", b'{"k":1}',
                          {"Content-Type": "application/json", "Cookie": "a=1; b=2"})
    event = json.loads(body)
    assert response.status == 200 and response.headers["apigw-requestid"], response.headers
    assert event["version"] == "2.0" and event["routeKey"] == "$default", event
    assert event["rawPath"] == "/a b/c" and event["queryStringParameters"] == {"x": "1,2"}
    assert event["cookies"] == ["a=1", "b=2"] and event["body"] == '{"k":1}'
    context = event["requestContext"]
    assert context["stage"] == "$default" and context["http"]["method"] == "POST", context
    assert context["accountId"] == "000000000000" and context["apiId"] == made["ApiId"]
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1", event["headers"]
    _, by_path = call("localhost", f"/_aws/execute-api/{made['ApiId']}/$default/by/path")
    assert json.loads(by_path)["rawPath"] == "/by/path", by_path
    response, body = call(host, "/boom")
    assert response.status == 500 and json.loads(body) == {"message": "Internal Server Error"}
    response, body = call(host, "/", "POST", b"x" * (10 * 1024 * 1024 + 1))
    assert response.status == 413, response.status
    response, _ = call(host, "/", headers={"x-long": "x" * 10_240})
    assert response.status == 431, response.status
    api.delete_api(ApiId=made["ApiId"])
    response, _ = call(host, "/")
    assert response.status == 404


def routes_and_stages():
    api_id, host = new("routes")
    integration = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=echo,
        PayloadFormatVersion="2.0")["IntegrationId"]
    first = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=shaped,
        PayloadFormatVersion="1.0")["IntegrationId"]
    route(api_id, "GET /pets/{id}", integration)
    route(api_id, "ANY /pets/{proxy+}", integration)
    route(api_id, "GET /shaped", first)
    route(api_id, "GET /malformed", first)
    route(api_id, "GET /event", first)
    assert "already exists" in refused("ConflictException", 409, api.create_route, ApiId=api_id,
                                       RouteKey="GET /shaped")
    refused("BadRequestException", 400, api.create_route, ApiId=api_id, RouteKey="FETCH /x")
    refused("NotFoundException", 404, api.get_route, ApiId=api_id, RouteId="none")
    refused("ConflictException", 409, api.delete_integration, ApiId=api_id, IntegrationId=first)
    response, _ = call(host, "/pets/1")
    assert response.status == 404, "there is no stage yet"
    api.create_stage(ApiId=api_id, StageName="dev", StageVariables={"v": "1"})
    deployed = api.create_deployment(ApiId=api_id, StageName="dev")["DeploymentId"]
    assert api.get_stage(ApiId=api_id, StageName="dev")["DeploymentId"] == deployed
    event = json.loads(call(host, "/dev/pets/7")[1])
    assert event["routeKey"] == "GET /pets/{id}" and event["pathParameters"] == {"id": "7"}
    assert event["rawPath"] == "/dev/pets/7" and event["stageVariables"] == {"v": "1"}
    event = json.loads(call(host, "/dev/pets/7/x%2Fy", "PUT")[1])
    assert event["pathParameters"] == {"proxy": "7/x/y"}, event
    response, body = call(host, "/dev/shaped")
    assert response.status == 201 and body == b"\xff\0", (response.status, body)
    assert response.headers.get_all("x-two") == ["a", "b"] and response.headers["x-one"] == "1"
    response, body = call(host, "/dev/malformed")
    assert response.status == 500 and json.loads(body) == {"message": "Internal Server Error"}
    event = json.loads(call(host, "/dev/event")[1])
    assert event["version"] == "1.0" and event["resource"] == "/event", event
    # A stage serves its deployment, and not what came after.
    late = route(api_id, "GET /late", integration)
    assert call(host, "/dev/late")[0].status == 404
    api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    assert call(host, "/late")[0].status == 200
    api.delete_route(ApiId=api_id, RouteId=late)
    assert call(host, "/late")[0].status == 404
    ids = [item["RouteId"] for page in api.get_paginator("get_routes").paginate(
        ApiId=api_id, PaginationConfig={"PageSize": 2}) for item in page["Items"]]
    assert len(set(ids)) == 5, ids
    refused("BadRequestException", 400, api.delete_deployment, ApiId=api_id, DeploymentId=deployed)
    # Throttled by the route's own settings.
    api.update_stage(ApiId=api_id, StageName="$default", RouteSettings={
        "GET /shaped": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 1}})
    assert [call(host, "/shaped")[0].status for _ in range(2)] == [201, 429]
    api.tag_resource(ResourceArn=f"arn:aws:apigateway:{REGION}::/apis/{api_id}", Tags={"k": "v"})
    assert api.get_api(ApiId=api_id)["Tags"] == {"k": "v"}


def browsers():
    api_id, host = new("cors", Target=echo, CorsConfiguration={
        "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 5})
    page = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    response, _ = call(host, "/x", "OPTIONS", headers=page)
    assert response.status == 204, response.status
    assert response.headers["access-control-allow-origin"] == "https://a.example"
    assert response.headers["access-control-max-age"] == "5"
    response, _ = call(host, "/x", headers={"Origin": "https://b.example"})
    assert response.status == 200 and "access-control-allow-origin" not in response.headers
    api.delete_cors_configuration(ApiId=api_id)
    response, _ = call(host, "/x", "OPTIONS", headers=page)
    assert response.status == 200, "without rules the function answers"


def authorizers():
    api_id, host = new("authorizers", Target=echo)
    integration = api.get_integrations(ApiId=api_id)["Items"][0]["IntegrationId"]

    def authorizer(name, function, **more):
        uri = (f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
               f"{function}/invocations")
        return api.create_authorizer(
            ApiId=api_id, Name=name, AuthorizerType="REQUEST", AuthorizerUri=uri,
            IdentitySource=["$request.header.token"], **more)["AuthorizerId"]
    easy = authorizer("easy", simple, AuthorizerPayloadFormatVersion="2.0",
                      EnableSimpleResponses=True, AuthorizerResultTtlInSeconds=300)
    old = authorizer("old", policy, AuthorizerPayloadFormatVersion="1.0")
    route(api_id, "GET /easy", integration, AuthorizationType="CUSTOM", AuthorizerId=easy)
    route(api_id, "GET /old", integration, AuthorizationType="CUSTOM", AuthorizerId=old)
    for path in ("/easy", "/old"):
        response, body = call(host, path)
        assert response.status == 401 and json.loads(body) == {"message": "Unauthorized"}
        response, body = call(host, path, headers={"token": "no"})
        assert response.status == 403 and json.loads(body) == {"message": "Forbidden"}, body
    said = [json.loads(call(host, "/easy", headers={"token": "yes"})[1]) for _ in range(2)]
    said = [event["requestContext"]["authorizer"]["lambda"] for event in said]
    assert said[0]["who"] == "me" and said[0] == said[1], "kept for its time"
    event = json.loads(call(host, "/old", headers={"token": "yes"})[1])
    assert event["requestContext"]["authorizer"]["lambda"] == {"n": 5}, event
    response, _ = call(host, "/easy", headers={"token": "broken"})
    assert response.status == 500
    refused("ConflictException", 409, api.delete_authorizer, ApiId=api_id, AuthorizerId=old)


class Backend(http.server.BaseHTTPRequestHandler):
    """Says what it got; or, as an issuer of tokens, its keys."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        said = json.dumps({"path": self.path, "headers": dict(self.headers), "body": body})
        self.answer(said, {"X-Backend": "yes", "X-Gone": "1"})

    def do_GET(self):
        if self.path in KEYS:
            return self.answer(json.dumps(KEYS[self.path]), {})
        return self.do_POST()

    def answer(self, text, headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


KEYS = {}
backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
threading.Thread(target=backend.serve_forever, daemon=True).start()
BACKEND = f"http://127.0.0.1:{backend.server_port}"


def proxies():
    api_id, host = new("proxies")
    whole = api.create_integration(
        ApiId=api_id, IntegrationType="HTTP_PROXY", IntegrationMethod="ANY",
        IntegrationUri=f"{BACKEND}/base")["IntegrationId"]
    mapped = api.create_integration(
        ApiId=api_id, IntegrationType="HTTP_PROXY", IntegrationMethod="POST",
        IntegrationUri=f"{BACKEND}/of/{{id}}", PayloadFormatVersion="1.0",
        RequestParameters={
            "append:header.x-id": "${request.path.id}-${context.stage}",
            "overwrite:querystring.q": "$request.body.deep.value",
            "remove:header.x-secret": "''"},
        ResponseParameters={"200": {
            "overwrite:statuscode": "202", "remove:header.x-gone": "''",
            "append:header.x-from": "$response.body.path"}})["IntegrationId"]
    gone = api.create_integration(
        ApiId=api_id, IntegrationType="HTTP_PROXY", IntegrationMethod="GET",
        IntegrationUri="http://127.0.0.1:1/")["IntegrationId"]
    route(api_id, "$default", whole)
    route(api_id, "POST /mapped/{id}", mapped)
    route(api_id, "GET /gone", gone)
    api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    response, body = call(host, "/a/b?c=d", "POST", b"hi")
    said = json.loads(body)
    assert response.status == 200 and response.headers["x-backend"] == "yes"
    assert said["path"] == "/base/a/b?c=d" and said["body"] == "hi", said
    response, body = call(host, "/mapped/7?q=1", "POST", b'{"deep":{"value":"v"}}',
                          {"x-secret": "s"})
    said = json.loads(body)
    assert response.status == 202 and "x-gone" not in response.headers
    assert response.headers["x-from"] == said["path"] == "/of/7?q=v", said
    names = {name.lower(): value for name, value in said["headers"].items()}
    assert names["x-id"] == "7-$default" and "x-secret" not in names, names
    response, body = call(host, "/gone")
    assert response.status == 503 and json.loads(body) == {"message": "Service Unavailable"}


def services():
    queue = sqs.create_queue(QueueName="from-http")["QueueUrl"]
    api_id, host = new("services")
    send = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationSubtype="SQS-SendMessage",
        CredentialsArn=ROLE, PayloadFormatVersion="1.0",
        RequestParameters={"QueueUrl": queue, "MessageBody": "$request.body.message"},
    )["IntegrationId"]
    put = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationSubtype="EventBridge-PutEvents",
        CredentialsArn=ROLE, PayloadFormatVersion="1.0",
        RequestParameters={"Detail": "$request.body", "DetailType": "d", "Source": "s"},
    )["IntegrationId"]
    route(api_id, "POST /send", send)
    route(api_id, "POST /put", put)
    api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    response, body = call(host, "/send", "POST", b'{"message":"hello"}')
    assert response.status == 200 and b"<MessageId>" in body, body
    got = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert [message["Body"] for message in got] == ["hello"]
    response, body = call(host, "/put", "POST", b'{"x":1}')
    assert response.status == 200 and json.loads(body)["FailedEntryCount"] == 0, body
    response, body = call(host, "/send", "POST", b"{}")
    assert response.status == 400, body


def access_logs():
    logs.create_log_group(logGroupName="http-access")
    api_id, host = new("logged", Target=echo)
    api.update_stage(ApiId=api_id, StageName="$default", AccessLogSettings={
        "DestinationArn": f"arn:aws:logs:{REGION}:000000000000:log-group:http-access",
        "Format": '{"status":"$context.status","route":"$context.routeKey",'
                  '"error":"$context.integrationErrorMessage"}'})
    call(host, "/fine")
    call(host, "/boom")
    end = time.monotonic() + 60
    while True:
        lines = logs.filter_log_events(logGroupName="http-access")["events"]
        if len(lines) == 2:
            break
        assert time.monotonic() < end, lines
        time.sleep(0.1)
    fine, boom = sorted((json.loads(line["message"]) for line in lines), key=lambda it: it["status"])
    assert fine == {"status": "200", "route": "$default", "error": "-"}, fine
    assert boom["status"] == "500" and "ZeroDivisionError" in boom["error"], boom


def domains():
    api_id, host = new("mapped", Target=echo)
    api.create_domain_name(DomainName="api.shop.example", DomainNameConfigurations=[
        {"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/x"}])
    api.create_api_mapping(
        DomainName="api.shop.example", ApiId=api_id, Stage="$default", ApiMappingKey="v1/pets")
    event = json.loads(call("api.shop.example", "/v1/pets/7?x=1")[1])
    assert event["rawPath"] == "/v1/pets/7", event
    assert event["requestContext"]["domainName"] == "api.shop.example"
    assert call("api.shop.example", "/v2")[0].status == 404
    refused("BadRequestException", 400, api.delete_api, ApiId=api_id)
    api.update_api(ApiId=api_id, DisableExecuteApiEndpoint=True)
    assert call(host, "/")[0].status == 404
    assert call("api.shop.example", "/v1/pets")[0].status == 200
    api.delete_domain_name(DomainName="api.shop.example")
    assert call("api.shop.example", "/v1/pets")[0].status == 403


def definitions():
    definition = {
        "openapi": "3.0.1", "info": {"title": "imported", "version": "7"},
        "paths": {"/pets/{id}": {"get": {"x-amazon-apigateway-integration": {
            "type": "AWS_PROXY", "httpMethod": "POST", "uri": echo,
            "payloadFormatVersion": "2.0"}}}},
    }
    made = api.import_api(Body=json.dumps(definition))
    assert made["Name"] == "imported" and made["Version"] == "7", made
    api.create_stage(ApiId=made["ApiId"], StageName="$default", AutoDeploy=True)
    host = urllib.parse.urlparse(made["ApiEndpoint"]).netloc
    assert json.loads(call(host, "/pets/1")[1])["pathParameters"] == {"id": "1"}
    exported = api.export_api(ApiId=made["ApiId"], Specification="OAS30", OutputType="JSON")
    exported = json.loads(exported["body"].read())
    again = exported["paths"]["/pets/{id}"]["get"]["x-amazon-apigateway-integration"]
    assert again["uri"] == echo and again["type"] == "AWS_PROXY", again
    exported["paths"]["/more"] = exported["paths"].pop("/pets/{id}")
    api.reimport_api(ApiId=made["ApiId"], Body=json.dumps(exported))
    assert call(host, "/pets/1")[0].status == 404 and call(host, "/more")[0].status == 200
    refused("BadRequestException", 400, api.import_api, Body="{")


for check in (quick, routes_and_stages, browsers, authorizers, proxies, services, access_logs,
              domains, definitions):
    check()
    print(check.__name__, "ok", flush=True)
