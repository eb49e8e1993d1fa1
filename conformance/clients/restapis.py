"""REST APIs through boto3 and plain HTTP: control plane, and what deployed APIs answer."""

import base64
import http.client
import http.server
import io
import json
import os
import threading
import zipfile
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

ENDPOINT = urlsplit(os.environ["AWS_ENDPOINT_URL"])
ROLE = "arn:aws:iam::000000000000:role/r"
REGION = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
api = boto3.client("apigateway")
functions = boto3.client("lambda")

CODE = '''
import base64, json

def proxy(event, context):
    if event["queryStringParameters"] and event["queryStringParameters"].get("fail"):
        raise ValueError("broken")
    if event["path"].endswith("/malformed"):
        return {"statusCode": 200, "other": 1}
    if event["path"].endswith("/png"):
        body = base64.b64encode(b"\\x89PNG\\xff").decode()
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": body,
                "isBase64Encoded": True}
    return {"statusCode": 201, "headers": {"X-One": "1"}, "multiValueHeaders": {"X-Many": ["a", "b"]},
            "body": json.dumps(event)}

def plain(event, context):
    if event.get("fail"):
        raise ValueError("[BadRequest] " + event["fail"])
    return {"got": event}

def authorizer(event, context):
    token = event.get("authorizationToken") or event["headers"].get("Authorization")
    if token == "nobody":
        raise Exception("Unauthorized")
    if token == "broken":
        return {"no": "policy"}
    effect = "Allow" if token in ("allow", "known") else "Deny"
    return {"principalId": "user-" + token, "context": {"n": 1, "s": "text"},
            "usageIdentifierKey": "k" * 20,
            "policyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": effect, "Action": "execute-api:Invoke", "Resource": event["methodArn"]}]}}
'''


def function(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", CODE)
    made = functions.create_function(
        FunctionName=name, Runtime="python3.12", Handler=f"f.{name}", Role=ROLE,
        Code={"ZipFile": packed.getvalue()})
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{made['FunctionArn']}/invocations"


PROXY, PLAIN, AUTHORIZER = function("proxy"), function("plain"), function("authorizer")


def request(method, path, body=None, headers=None, host=None):
    connection = http.client.HTTPConnection(ENDPOINT.hostname, ENDPOINT.port, timeout=60)
    headers = dict(headers or {})
    if host:
        headers["Host"] = host
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def call(id, method, path, body=None, headers=None):
    """By the API's own host."""
    host = f"{id}.execute-api.{REGION}.localhost:{ENDPOINT.port}"
    return request(method, path, body, headers, host)


def refused(code, text, run):
    try:
        run()
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, found
        assert text in found["Message"], found
    else:
        raise AssertionError(f"{code} expected")


def replace(path, value):
    return [{"op": "replace", "path": path, "value": value}]


def resource(id, parent, part):
    return api.create_resource(restApiId=id, parentId=parent, pathPart=part)["id"]


def method(id, res, name="GET", integration=None, auth="NONE", **more):
    api.put_method(restApiId=id, resourceId=res, httpMethod=name, authorizationType=auth, **more)
    if integration:
        api.put_integration(restApiId=id, resourceId=res, httpMethod=name, **integration)


def response(id, res, name="GET", status="200", pattern=None, templates=None, parameters=None, **more):
    names = {key: False for key in parameters or {}}
    api.put_method_response(restApiId=id, resourceId=res, httpMethod=name, statusCode=status,
                            responseParameters=names)
    extra = {} if pattern is None else {"selectionPattern": pattern}
    api.put_integration_response(restApiId=id, resourceId=res, httpMethod=name, statusCode=status,
                                 responseTemplates=templates or {}, responseParameters=parameters or {},
                                 **extra, **more)


def lambda_proxy():
    return {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": PROXY}


def mock(template='{"statusCode": 200}'):
    return {"type": "MOCK", "requestTemplates": {"application/json": template}}


def new_api(name, **more):
    made = api.create_rest_api(name=name, **more)
    return made["id"], made["rootResourceId"]


def deploy(id, stage="dev", **more):
    return api.create_deployment(restApiId=id, stageName=stage, **more)["id"]


def test_proxy():
    id, root = new_api("proxy", binaryMediaTypes=["image/png"])
    method(id, root, "ANY", lambda_proxy())
    greedy = resource(id, root, "{proxy+}")
    method(id, greedy, "ANY", lambda_proxy())
    pets = resource(id, root, "pets")
    pet = resource(id, pets, "{id}")
    method(id, pet, "GET", lambda_proxy())
    deploy(id, variables={"v": "one"})
    answer, data = call(id, "GET", "/dev/pets/a%20b?x=1&x=2", headers={"Accept": "a/b", "x-own": "o"})
    event = json.loads(data)
    assert answer.status == 201 and answer.headers["X-One"] == "1", answer.headers
    assert answer.headers.get_all("X-Many") == ["a", "b"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-amzn-RequestId"] == event["requestContext"]["requestId"]
    assert answer.headers["x-amz-apigw-id"] == event["requestContext"]["extendedRequestId"]
    assert event["resource"] == "/pets/{id}" and event["path"] == "/pets/a%20b", event["path"]
    assert event["pathParameters"] == {"id": "a b"}
    assert event["queryStringParameters"] == {"x": "2"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["headers"]["Accept"] == "a/b" and event["headers"]["x-own"] == "o"
    assert event["headers"]["X-Forwarded-Proto"] == "http"
    assert event["stageVariables"] == {"v": "one"} and event["body"] is None
    context = event["requestContext"]
    assert context["stage"] == "dev" and context["path"] == "/dev/pets/a%20b"
    assert context["resourceId"] == pet and context["apiId"] == id
    assert context["identity"]["sourceIp"] and "version" not in event
    # Every way to the API.
    for path in [f"/restapis/{id}/dev/_user_request_/pets/7", f"/_aws/execute-api/{id}/dev/pets/7"]:
        answer, data = request("GET", path)
        assert answer.status == 201 and json.loads(data)["pathParameters"] == {"id": "7"}, data
    answer, data = call(id, "POST", "/dev/deep/er", b'{"a":1}', {"Content-Type": "application/json"})
    event = json.loads(data)
    assert event["pathParameters"] == {"proxy": "deep/er"} and event["body"] == '{"a":1}'
    assert event["isBase64Encoded"] is False
    answer, data = call(id, "POST", "/dev/up", b"\x00\xff", {"Content-Type": "image/png"})
    event = json.loads(data)
    assert event["isBase64Encoded"] and base64.b64decode(event["body"]) == b"\x00\xff"
    answer, data = call(id, "GET", "/dev/png", headers={"Accept": "image/png"})
    assert data == b"\x89PNG\xff" and answer.headers["Content-Type"] == "image/png", data
    answer, data = call(id, "GET", "/dev/png", headers={"Accept": "text/html"})
    assert base64.b64decode(data) == b"\x89PNG\xff"
    for path in ["/dev/?fail=1", "/dev/malformed"]:
        answer, data = call(id, "GET", path)
        assert (answer.status, json.loads(data)) == (502, {"message": "Internal server error"}), data
        assert answer.headers["x-amzn-ErrorType"] == "InternalServerErrorException"
    answer, data = call(id, "GET", "/none/pets")
    assert (answer.status, json.loads(data)) == (403, {"message": "Forbidden"}), data
    answer, data = call(id, "GET", "/dev/x", b"x" * (10 * 1024 * 1024 + 1))
    assert answer.status == 413, answer.status


def test_mock_and_gateway_responses():
    id, root = new_api("mock")
    method(id, root, "GET", mock('{"statusCode": #if($input.params("bad") != "")400#{else}200#end}'))
    response(id, root, templates={"application/json": '{"stage":"$context.stage","q":"$input.params(\'q\')"}'},
             parameters={"method.response.header.X-Static": "'s'",
                         "method.response.header.X-Api": "context.apiId"})
    response(id, root, status="400", pattern="4\\d{2}", templates={
        "application/json": '#set($context.responseOverride.status = 418)'
                            '#set($context.responseOverride.header.X-Tea = "pot"){"bad":true}'})
    method(id, root, "OPTIONS", mock())
    response(id, root, "OPTIONS", parameters={
        "method.response.header.Access-Control-Allow-Origin": "'*'",
        "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'"})
    deploy(id)
    answer, data = call(id, "GET", "/dev?q=1")
    assert (answer.status, json.loads(data)) == (200, {"stage": "dev", "q": "1"}), data
    assert answer.headers["X-Static"] == "s" and answer.headers["X-Api"] == id
    answer, data = call(id, "GET", "/dev?bad=1")
    assert (answer.status, json.loads(data)) == (418, {"bad": True}) and answer.headers["X-Tea"] == "pot"
    answer, data = call(id, "OPTIONS", "/dev", headers={
        "Origin": "http://page.example", "Access-Control-Request-Method": "GET"})
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*", answer.headers
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
    for verb, path in [("POST", "/dev"), ("GET", "/dev/nothing")]:
        answer, data = call(id, verb, path)
        assert (answer.status, json.loads(data)) == (403, {"message": "Missing Authentication Token"})
        assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    shown = api.get_gateway_response(restApiId=id, responseType="MISSING_AUTHENTICATION_TOKEN")
    assert shown["defaultResponse"] and shown["statusCode"] == "403"
    assert shown["responseTemplates"] == {"application/json": '{"message":$context.error.messageString}'}
    api.put_gateway_response(
        restApiId=id, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404",
        responseParameters={"gatewayresponse.header.X-Why": "'none'"},
        responseTemplates={"application/json": '{"type":"$context.error.responseType","path":"$context.path","m":$context.error.messageString}'})
    answer, data = call(id, "GET", "/dev/nothing")
    assert answer.status == 403, "not before it is deployed"
    deploy(id)
    answer, data = call(id, "GET", "/dev/nothing")
    assert answer.status == 404 and answer.headers["X-Why"] == "none", answer.status
    assert json.loads(data) == {"type": "MISSING_AUTHENTICATION_TOKEN", "path": "/dev/nothing",
                                "m": "Missing Authentication Token"}, data
    assert len(api.get_gateway_responses(restApiId=id, limit=500)["items"]) == 21
    changed = api.update_gateway_response(
        restApiId=id, responseType="DEFAULT_4XX",
        patchOperations=[{"op": "add", "path": "/responseTemplates/text~1plain", "value": "no"}])
    assert changed["responseTemplates"]["text/plain"] == "no"
    api.delete_gateway_response(restApiId=id, responseType="DEFAULT_4XX")
    refused("NotFoundException", "not defined",
            lambda: api.delete_gateway_response(restApiId=id, responseType="DEFAULT_4XX"))


def test_lambda_with_templates():
    id, root = new_api("aws")
    template = ('#set($all = $input.params()){"name":"$input.params(\'name\')","body":$input.json(\'$\'),'
                '"fail":"$input.params(\'fail\')","v":"$stageVariables.v"}')
    method(id, root, "POST", {"type": "AWS", "integrationHttpMethod": "POST", "uri": PLAIN,
                              "requestTemplates": {"application/json": template},
                              "passthroughBehavior": "NEVER"})
    response(id, root, "POST", templates={"application/json": "#set($r = $input.path('$.got')){\"hi\":\"$r.name\",\"n\":$r.body.n,\"v\":\"$r.v\"}"})
    response(id, root, "POST", status="400", pattern="\\[BadRequest\\].*",
             templates={"application/json": "{\"error\":\"$input.path('$.errorMessage')\"}"})
    deploy(id, variables={"v": "two"})
    answer, data = call(id, "POST", "/dev?name=you", b'{"n": 3}', {"Content-Type": "application/json"})
    assert (answer.status, json.loads(data)) == (200, {"hi": "you", "n": 3, "v": "two"}), data
    answer, data = call(id, "POST", "/dev?fail=this", b'{"n": 3}', {"Content-Type": "application/json"})
    assert (answer.status, json.loads(data)) == (400, {"error": "[BadRequest] this"}), data
    answer, data = call(id, "POST", "/dev", b"x", {"Content-Type": "text/plain"})
    assert (answer.status, json.loads(data)) == (415, {"message": "Unsupported Media Type"}), data


def test_services():
    queue = boto3.client("sqs").create_queue(QueueName="from-api")["QueueUrl"]
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(TableName="table", BillingMode="PAY_PER_REQUEST",
                          KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                          AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
    id, root = new_api("services")
    sqs = resource(id, root, "sqs")
    method(id, sqs, "POST", {
        "type": "AWS", "integrationHttpMethod": "POST", "credentials": ROLE,
        "uri": f"arn:aws:apigateway:{REGION}:sqs:path/000000000000/from-api",
        "requestParameters": {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        "requestTemplates": {"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"}})
    response(id, sqs, "POST", templates={"application/json": '{"sent":true}'})
    item = resource(id, root, "item")
    method(id, item, "POST", {
        "type": "AWS", "integrationHttpMethod": "POST", "credentials": ROLE,
        "uri": f"arn:aws:apigateway:{REGION}:dynamodb:action/PutItem",
        "requestTemplates": {"application/json": '{"TableName":"table","Item":{"k":{"S":"$input.path(\'$.k\')"}}}'}})
    response(id, item, "POST")
    response(id, item, "POST", status="400", pattern="4..", templates={"application/json": "{\"why\":$input.json('$.__type')}"})
    s3 = resource(id, root, "{key}")
    boto3.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    method(id, s3, "PUT", {
        "type": "AWS", "integrationHttpMethod": "PUT", "credentials": ROLE,
        "uri": f"arn:aws:apigateway:{REGION}:s3:path/bucket/{{object}}",
        "requestParameters": {"integration.request.path.object": "method.request.path.key"}},
        requestParameters={"method.request.path.key": True})
    response(id, s3, "PUT", templates={"application/json": "{}"})
    deploy(id)
    answer, data = call(id, "POST", "/dev/sqs", b'{"a":"b c"}', {"Content-Type": "application/json"})
    assert (answer.status, json.loads(data)) == (200, {"sent": True}), data
    got = boto3.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert got[0]["Body"] == '{"a":"b c"}', got
    answer, data = call(id, "POST", "/dev/item", b'{"k":"v"}', {"Content-Type": "application/json"})
    assert answer.status == 200, data
    assert dynamodb.get_item(TableName="table", Key={"k": {"S": "v"}})["Item"] == {"k": {"S": "v"}}
    answer, data = call(id, "POST", "/dev/item", b'{"k":""}', {"Content-Type": "application/json"})
    assert answer.status == 400 and "ValidationException" in json.loads(data)["why"], data
    answer, data = call(id, "PUT", "/dev/file.txt", b"text", {"Content-Type": "text/plain"})
    assert answer.status == 200, data
    assert boto3.client("s3").get_object(Bucket="bucket", Key="file.txt")["Body"].read() == b"text"


class Echo(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        status = 404 if "missing" in self.path else 200
        told = json.dumps({"method": self.command, "path": self.path, "body": body,
                           "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Theirs", "t")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


def test_http():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    id, root = new_api("http")
    proxied = resource(id, root, "p")
    rest = resource(id, proxied, "{rest+}")
    method(id, rest, "ANY", {"type": "HTTP_PROXY", "integrationHttpMethod": "ANY", "uri": base + "/to/{rest}",
                             "requestParameters": {"integration.request.path.rest": "method.request.path.rest",
                                                   "integration.request.header.X-Mapped": "'m'"}},
           requestParameters={"method.request.path.rest": True})
    mapped = resource(id, root, "m")
    method(id, mapped, "POST", {
        "type": "HTTP", "integrationHttpMethod": "PUT", "uri": "${stageVariables.base}/fixed",
        "requestParameters": {"integration.request.querystring.q": "method.request.querystring.q",
                              "integration.request.header.X-Body": "method.request.body.a.b"},
        "requestTemplates": {"application/json": "<$input.path('$.a.b')>"}},
        requestParameters={"method.request.querystring.q": False})
    response(id, mapped, "POST", templates={"application/json": "$input.json('$')"},
             parameters={"method.response.header.X-Theirs": "integration.response.header.X-Theirs",
                         "method.response.header.X-Path": "integration.response.body.path"})
    response(id, mapped, "POST", status="404", pattern="404")
    deploy(id, variables={"base": base})
    answer, data = call(id, "POST", "/dev/p/a/b?x=1", b"hello", {"X-Own": "o"})
    told = json.loads(data)
    assert answer.status == 200 and told["method"] == "POST" and told["path"] == "/to/a/b?x=1", told
    assert told["body"] == "hello" and told["headers"]["x-own"] == "o" and told["headers"]["x-mapped"] == "m"
    assert told["headers"]["host"] == f"127.0.0.1:{server.server_port}", told
    assert answer.headers["X-Theirs"] == "t"
    answer, data = call(id, "GET", "/dev/p/missing")
    assert answer.status == 404
    answer, data = call(id, "POST", "/dev/m?q=a%20b", b'{"a":{"b":"c"}}', {"Content-Type": "application/json", "X-Own": "o"})
    told = json.loads(data)
    assert told["method"] == "PUT" and told["path"] == "/fixed?q=a%20b" and told["body"] == "<c>", told
    assert told["headers"]["x-body"] == "c" and "x-own" not in told["headers"]
    assert answer.headers["X-Theirs"] == "t" and answer.headers["X-Path"] == "/fixed?q=a%20b"
    server.shutdown()


def test_authorizers():
    id, root = new_api("auth")
    token = api.create_authorizer(
        restApiId=id, name="token", type="TOKEN", authorizerUri=AUTHORIZER,
        identitySource="method.request.header.Authorization", identityValidationExpression="[a-z]+")
    assert token["authType"] == "custom" and token["authorizerResultTtlInSeconds"] == 300
    wide = api.create_authorizer(
        restApiId=id, name="wide", type="REQUEST", authorizerUri=AUTHORIZER, authorizerResultTtlInSeconds=0,
        identitySource="method.request.header.Authorization, method.request.querystring.q")
    one, two = resource(id, root, "one"), resource(id, root, "two")
    method(id, one, "GET", lambda_proxy(), auth="CUSTOM", authorizerId=token["id"])
    method(id, two, "GET", lambda_proxy(), auth="CUSTOM", authorizerId=wide["id"])
    deploy(id)

    def with_token(path, value):
        answer, data = call(id, "GET", path, headers={"Authorization": value} if value else {})
        return answer.status, json.loads(data)

    for _ in range(2):
        status, event = with_token("/dev/one", "allow")
        assert status == 201, event
    said = event["requestContext"]["authorizer"]
    assert said["principalId"] == "user-allow" and said["n"] == "1" and said["s"] == "text", said
    assert with_token("/dev/one", None) == (401, {"message": "Unauthorized"})
    assert with_token("/dev/one", "123") == (401, {"message": "Unauthorized"})
    assert with_token("/dev/one", "nobody") == (401, {"message": "Unauthorized"})
    status, said = with_token("/dev/one", "deny")
    assert status == 403 and said["Message"].startswith("User is not authorized to access this resource"), said
    assert with_token("/dev/one", "broken") == (500, {"message": None})
    assert with_token("/dev/two", "allow") == (401, {"message": "Unauthorized"})
    assert with_token("/dev/two?q=1", "allow")[0] == 201
    refused("ConflictException", "referenced", lambda: api.delete_authorizer(restApiId=id, authorizerId=token["id"]))
    api.flush_stage_authorizers_cache(restApiId=id, stageName="dev")
    tried = api.test_invoke_authorizer(restApiId=id, authorizerId=token["id"], headers={"Authorization": "known"})
    assert tried["clientStatus"] == 200 and tried["principalId"] == "user-known", tried
    assert json.loads(tried["policy"])["Statement"], tried
    tried = api.test_invoke_authorizer(restApiId=id, authorizerId=token["id"], headers={})
    assert tried["clientStatus"] == 401, tried


def test_keys_and_plans():
    id, root = new_api("plans")
    method(id, root, "GET", mock(), apiKeyRequired=True)
    response(id, root, templates={"application/json": '{"key":"$context.identity.apiKeyId"}'})
    open_to_all = resource(id, root, "open")
    method(id, open_to_all, "GET", mock())
    response(id, open_to_all)
    deploy(id)
    key = api.create_api_key(name="one", enabled=True, value="v" * 24)
    other = api.create_api_key(name="two", enabled=True)
    assert len(other["value"]) == 40 and len(other["id"]) == 10
    refused("BadRequestException", "at least 20", lambda: api.create_api_key(value="short"))
    refused("ConflictException", "already exists", lambda: api.create_api_key(value="v" * 24))
    assert "value" not in api.get_api_key(apiKey=key["id"])
    assert api.get_api_key(apiKey=key["id"], includeValue=True)["value"] == "v" * 24
    plan = api.create_usage_plan(name="plan", apiStages=[{"apiId": id, "stage": "dev"}],
                                 quota={"limit": 3, "period": "DAY"})

    def status(value=None, path="/dev"):
        answer, data = call(id, "GET", path, headers={"x-api-key": value} if value else {})
        return answer.status, json.loads(data or b"{}").get("message")

    assert status() == (403, "Forbidden") and status("v" * 24) == (403, "Forbidden")
    api.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert api.get_usage_plan_keys(usagePlanId=plan["id"])["items"][0]["name"] == "one"
    for _ in range(3):
        assert status("v" * 24)[0] == 200
    assert status("v" * 24) == (429, "Limit Exceeded") and status(other["value"]) == (403, "Forbidden")
    assert status(path="/dev/open")[0] == 200
    import datetime
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    used = api.get_usage(usagePlanId=plan["id"], startDate=today, endDate=today)["items"]
    assert used == {key["id"]: [[3, 0]]}, used
    api.update_usage(usagePlanId=plan["id"], keyId=key["id"], patchOperations=replace("/remaining", "1"))
    assert status("v" * 24)[0] == 200 and status("v" * 24)[0] == 429
    api.update_usage_plan(usagePlanId=plan["id"], patchOperations=[
        {"op": "remove", "path": "/quota"}, {"op": "replace", "path": "/throttle/burstLimit", "value": "2"},
        {"op": "replace", "path": "/throttle/rateLimit", "value": "0.001"}])
    answers = [status("v" * 24) for _ in range(3)]
    assert [code for code, _ in answers] == [200, 200, 429] and answers[2][1] == "Too Many Requests", answers
    api.update_usage_plan(usagePlanId=plan["id"], patchOperations=[
        {"op": "add", "path": f"/apiStages/{id}:dev/throttle/~1/GET/rateLimit", "value": "100"},
        {"op": "add", "path": f"/apiStages/{id}:dev/throttle/~1/GET/burstLimit", "value": "100"}])
    assert api.get_usage_plan(usagePlanId=plan["id"])["apiStages"][0]["throttle"] == {
        "//GET": {"burstLimit": 100, "rateLimit": 100.0}}
    assert status("v" * 24)[0] == 200
    api.update_api_key(apiKey=key["id"], patchOperations=replace("/enabled", "false"))
    assert status("v" * 24)[0] == 403
    refused("BadRequestException", "Usage Plan", lambda: api.delete_stage(restApiId=id, stageName="dev"))
    refused("BadRequestException", "stages", lambda: api.delete_usage_plan(usagePlanId=plan["id"]))
    api.update_usage_plan(usagePlanId=plan["id"], patchOperations=[
        {"op": "remove", "path": "/apiStages", "value": f"{id}:dev"}])
    api.delete_usage_plan(usagePlanId=plan["id"])
    imported = api.import_api_keys(format="csv", body=b"Name,key,description,Enabled\na," + b"q" * 30 + b",\"x, y\",true\nb,short,,\n")
    assert len(imported["ids"]) == 1 and len(imported["warnings"]) == 1, imported
    assert api.get_api_keys(nameQuery="a")["items"][0]["description"] == "x, y"
    # A stage's own limits.
    api.update_stage(restApiId=id, stageName="dev", patchOperations=[
        {"op": "replace", "path": "/~1open/GET/throttling/burstLimit", "value": "1"},
        {"op": "replace", "path": "/~1open/GET/throttling/rateLimit", "value": "0.001"}])
    assert [status(path="/dev/open")[0] for _ in range(2)] == [200, 429]


def test_validation():
    id, root = new_api("validation")
    api.create_model(restApiId=id, name="Toy", contentType="application/json",
                     schema='{"type":"object","required":["size"],"properties":{"size":{"type":"integer","minimum":1}}}')
    api.create_model(restApiId=id, name="Pet", contentType="application/json", schema=json.dumps({
        "$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"},
                       "toys": {"type": "array", "items": {
                           "$ref": f"https://apigateway.amazonaws.com/restapis/{id}/models/Toy"}}}}))
    validator = api.create_request_validator(restApiId=id, name="all", validateRequestBody=True,
                                             validateRequestParameters=True)["id"]
    method(id, root, "POST", mock(), requestValidatorId=validator, requestModels={"application/json": "Pet"},
           requestParameters={"method.request.querystring.q": True, "method.request.header.x-h": True})
    response(id, root, "POST")
    api.put_gateway_response(restApiId=id, responseType="BAD_REQUEST_BODY", statusCode="422", responseTemplates={
        "application/json": '{"message":$context.error.messageString,"why":"$context.error.validationErrorString"}'})
    deploy(id)

    def post(body, path="/dev?q=1", headers={"x-h": "1"}):
        answer, data = call(id, "POST", path, body, {"Content-Type": "application/json", **headers})
        return answer.status, json.loads(data or b"{}").get("message")

    assert post(b'{"name":"a","toys":[{"size":1}]}')[0] == 200
    for wrong in [b"{}", b'{"name":1}', b"no json", b'{"name":"a","toys":[{"size":0}]}']:
        assert post(wrong) == (422, "Invalid request body"), wrong
    assert post(b"{}", "/dev") == (400, "Missing required request parameters: [q]")
    assert post(b"{}", "/dev", {}) == (400, "Missing required request parameters: [x-h, q]")
    refused("ConflictException", "referenced", lambda: api.delete_model(restApiId=id, modelName="Pet"))
    refused("ConflictException", "referenced",
            lambda: api.delete_request_validator(restApiId=id, requestValidatorId=validator))
    changed = api.update_request_validator(restApiId=id, requestValidatorId=validator,
                                           patchOperations=replace("/validateRequestBody", "false"))
    assert changed["validateRequestBody"] is False
    assert {m["name"] for m in api.get_models(restApiId=id)["items"]} == {"Empty", "Error", "Pet", "Toy"}


def test_stages_and_canaries():
    id, root = new_api("stages")
    method(id, root, "GET", mock())
    response(id, root, templates={"application/json": '{"v":1,"s":"$stageVariables.s"}'})
    first = deploy(id, "prod", variables={"s": "a"})
    api.update_integration_response(restApiId=id, resourceId=root, httpMethod="GET", statusCode="200",
                                    patchOperations=replace("/responseTemplates/application~1json",
                                                            '{"v":2,"s":"$stageVariables.s"}'))
    get = lambda: json.loads(call(id, "GET", "/prod")[1])
    assert get() == {"v": 1, "s": "a"}
    second = deploy(id, "prod", canarySettings={"percentTraffic": 100.0, "stageVariableOverrides": {"s": "c"}})
    assert get() == {"v": 2, "s": "c"}
    stage = api.update_stage(restApiId=id, stageName="prod", patchOperations=replace("/canarySettings/percentTraffic", "0"))
    assert stage["canarySettings"]["deploymentId"] == second and stage["deploymentId"] == first
    assert get() == {"v": 1, "s": "a"}
    stage = api.update_stage(restApiId=id, stageName="prod", patchOperations=[
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "remove", "path": "/canarySettings"}])
    assert stage["deploymentId"] == second and stage["variables"] == {"s": "c"} and "canarySettings" not in stage
    assert get() == {"v": 2, "s": "c"}
    stage = api.update_stage(restApiId=id, stageName="prod", patchOperations=[
        {"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"},
        {"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"},
        {"op": "replace", "path": "/variables/t", "value": "u"}])
    assert stage["methodSettings"]["*/*"]["metricsEnabled"] is True and stage["variables"]["t"] == "u"
    refused("BadRequestException", "Deployment id does not exist",
            lambda: api.update_stage(restApiId=id, stageName="prod", patchOperations=replace("/deploymentId", "nope")))
    refused("BadRequestException", "Invalid patch path",
            lambda: api.update_stage(restApiId=id, stageName="prod", patchOperations=replace("/nothing", "x")))
    refused("BadRequestException", "Active stages", lambda: api.delete_deployment(restApiId=id, deploymentId=second))
    refused("ConflictException", "Stage already exists",
            lambda: api.create_stage(restApiId=id, stageName="prod", deploymentId=first))
    api.create_stage(restApiId=id, stageName="old", deploymentId=first)
    assert json.loads(call(id, "GET", "/old")[1])["v"] == 1
    shown = api.get_deployment(restApiId=id, deploymentId=first, embed=["apisummary"])
    assert shown["apiSummary"] == {"/": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}}
    api.delete_stage(restApiId=id, stageName="old")
    api.delete_deployment(restApiId=id, deploymentId=first)
    assert call(id, "GET", "/old")[0].status == 403
    # A domain of one's own.
    api.create_domain_name(domainName="api.mine.localhost", endpointConfiguration={"types": ["REGIONAL"]},
                           regionalCertificateArn="arn:aws:acm:us-east-1:000000000000:certificate/x")
    api.create_base_path_mapping(domainName="api.mine.localhost", basePath="v1", restApiId=id, stage="prod")
    answer, data = request("GET", "/v1", host="api.mine.localhost")
    assert answer.status == 200 and json.loads(data)["v"] == 2, data
    assert request("GET", "/v2", host="api.mine.localhost")[0].status == 403
    refused("BadRequestException", "base path mappings", lambda: api.delete_rest_api(restApiId=id))
    moved = api.update_base_path_mapping(domainName="api.mine.localhost", basePath="v1",
                                         patchOperations=replace("/basePath", ""))
    assert moved["basePath"] == "(none)"
    api.delete_base_path_mapping(domainName="api.mine.localhost", basePath="(none)")
    api.delete_domain_name(domainName="api.mine.localhost")


def test_control_plane():
    id, root = new_api("control", description="d", tags={"a": "b"}, version="1")
    shown = api.get_rest_api(restApiId=id)
    assert shown["endpointConfiguration"]["types"] == ["EDGE"] and shown["apiKeySource"] == "HEADER"
    arn = f"arn:aws:apigateway:{REGION}::/restapis/{id}"
    api.tag_resource(resourceArn=arn, tags={"c": "d"})
    api.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert api.get_tags(resourceArn=arn)["tags"] == {"c": "d"}
    changed = api.update_rest_api(restApiId=id, patchOperations=[
        {"op": "replace", "path": "/name", "value": "new"},
        {"op": "add", "path": "/binaryMediaTypes/image~1png"},
        {"op": "replace", "path": "/minimumCompressionSize", "value": "10"},
        {"op": "replace", "path": "/endpointConfiguration/types/EDGE", "value": "REGIONAL"}])
    assert changed["name"] == "new" and changed["binaryMediaTypes"] == ["image/png"]
    assert changed["minimumCompressionSize"] == 10
    assert changed["endpointConfiguration"]["types"] == ["REGIONAL"], changed
    refused("BadRequestException", "minimum compression size", lambda: api.update_rest_api(
        restApiId=id, patchOperations=replace("/minimumCompressionSize", "-1")))
    refused("NotFoundException", "Invalid API identifier specified", lambda: api.get_rest_api(restApiId="nope"))
    a = resource(id, root, "a")
    b = resource(id, a, "{b}")
    refused("ConflictException", "already has this name", lambda: resource(id, root, "a"))
    refused("BadRequestException", "only one is allowed", lambda: resource(id, a, "{c}"))
    refused("BadRequestException", "path part only allow", lambda: resource(id, root, "a b"))
    refused("NotFoundException", "Invalid Resource identifier", lambda: resource(id, "nope", "x"))
    refused("BadRequestException", "cyclical", lambda: api.update_resource(
        restApiId=id, resourceId=a, patchOperations=replace("/parentId", b)))
    api.update_resource(restApiId=id, resourceId=a, patchOperations=replace("/pathPart", "z"))
    assert api.get_resource(restApiId=id, resourceId=b)["path"] == "/z/{b}"
    refused("BadRequestException", "doesn't contain any methods", lambda: deploy(id))
    method(id, b, "GET")
    refused("BadRequestException", "No integration", lambda: deploy(id))
    refused("ConflictException", "already exists", lambda: method(id, b, "GET"))
    refused("BadRequestException", "valid authorizer", lambda: method(id, b, "PUT", auth="CUSTOM"))
    refused("BadRequestException", "Invalid HttpMethod", lambda: method(id, b, "FETCH"))
    refused("NotFoundException", "Invalid Response status code", lambda: api.put_integration_response(
        restApiId=id, resourceId=b, httpMethod="GET", statusCode="200")
        if api.put_integration(restApiId=id, resourceId=b, httpMethod="GET", type="MOCK") else None)
    refused("BadRequestException", "Invalid HTTP endpoint", lambda: api.put_integration(
        restApiId=id, resourceId=b, httpMethod="GET", type="HTTP", integrationHttpMethod="GET", uri="x"))
    refused("BadRequestException", "AWS_PROXY", lambda: api.put_integration(
        restApiId=id, resourceId=b, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:sqs:path/x", credentials=ROLE))
    refused("BadRequestException", "mapping template", lambda: api.put_integration(
        restApiId=id, resourceId=b, httpMethod="GET", type="MOCK", requestTemplates={"a/b": "#if("}))
    integration = api.update_integration(restApiId=id, resourceId=b, httpMethod="GET", patchOperations=[
        {"op": "add", "path": "/requestTemplates/application~1json", "value": "{}"},
        {"op": "replace", "path": "/passthroughBehavior", "value": "NEVER"},
        {"op": "replace", "path": "/timeoutInMillis", "value": "1000"}])
    assert integration["requestTemplates"] == {"application/json": "{}"} and integration["timeoutInMillis"] == 1000
    changed = api.update_method(restApiId=id, resourceId=b, httpMethod="GET", patchOperations=[
        {"op": "replace", "path": "/apiKeyRequired", "value": "true"},
        {"op": "add", "path": "/requestParameters/method.request.header.x", "value": "true"}])
    assert changed["apiKeyRequired"] and changed["requestParameters"] == {"method.request.header.x": True}
    changed = api.update_method(restApiId=id, resourceId=b, httpMethod="GET", patchOperations=[
        {"op": "remove", "path": "/requestParameters/method.request.header.x"}])
    assert "requestParameters" not in changed
    items = api.get_resources(restApiId=id, embed=["methods"])["items"]
    assert {item["path"] for item in items} == {"/", "/z", "/z/{b}"}
    assert [item for item in items if "resourceMethods" in item][0]["resourceMethods"]["GET"]["httpMethod"] == "GET"
    paths = [item["path"] for page in api.get_paginator("get_resources").paginate(
        restApiId=id, PaginationConfig={"PageSize": 1}) for item in page["items"]]
    assert len(paths) == 3, paths
    part = api.create_documentation_part(restApiId=id, location={"type": "API"}, properties='{"x":1}')
    refused("ConflictException", "already exists", lambda: api.create_documentation_part(
        restApiId=id, location={"type": "API"}, properties="{}"))
    assert api.get_documentation_parts(restApiId=id, type="API")["items"][0]["id"] == part["id"]
    api.create_documentation_version(restApiId=id, documentationVersion="1")
    assert api.get_account()["throttleSettings"]["burstLimit"] == 5000
    assert api.update_account(patchOperations=replace("/cloudwatchRoleArn", ROLE))["cloudwatchRoleArn"] == ROLE
    api.delete_resource(restApiId=id, resourceId=a)
    assert len(api.get_resources(restApiId=id)["items"]) == 1
    api.delete_rest_api(restApiId=id)
    chosen, _ = new_api("chosen", tags={"_custom_id_": "mine"})
    assert chosen == "mine"


def test_test_invoke():
    id, root = new_api("trial")
    pet = resource(id, root, "{id}")
    method(id, pet, "POST", lambda_proxy())
    tried = api.test_invoke_method(restApiId=id, resourceId=pet, httpMethod="POST",
                                   pathWithQueryString="/seven?x=1", body="hello", headers={"A": "b"})
    assert tried["status"] == 201, tried
    event = json.loads(tried["body"])
    assert event["pathParameters"] == {"id": "seven"} and event["body"] == "hello", event
    assert event["requestContext"]["stage"] == "test-invoke-stage"
    assert "Execution log for request" in tried["log"] and tried["multiValueHeaders"]["X-One"] == ["1"] or \
        tried["multiValueHeaders"]["x-one"] == ["1"], tried


DEFINITION = {
    "openapi": "3.0.1",
    "info": {"title": "imported", "version": "2", "description": "d"},
    "x-amazon-apigateway-binary-media-types": ["image/png"],
    "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
    "x-amazon-apigateway-request-validator": "all",
    "x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {
        "statusCode": 499, "responseTemplates": {"application/json": '{"mine":$context.error.messageString}'}}},
    "components": {
        "schemas": {"Pet": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "owner": {"$ref": "#/components/schemas/Owner"}}},
            "Owner": {"type": "object", "properties": {"age": {"type": "integer"}}}},
        "securitySchemes": {
            "mine": {"type": "apiKey", "name": "Authorization", "in": "header",
                     "x-amazon-apigateway-authtype": "custom",
                     "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": AUTHORIZER,
                                                        "authorizerResultTtlInSeconds": 0}},
            "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "post": {
                "operationId": "addPet",
                "parameters": [{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                "responses": {"200": {"description": "ok", "headers": {"X-A": {"schema": {"type": "string"}}},
                                      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
                "x-amazon-apigateway-integration": {
                    "type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'},
                    "responses": {"default": {"statusCode": "200",
                                              "responseParameters": {"method.response.header.X-A": "'a'"},
                                              "responseTemplates": {"application/json": '{"id":"$input.params(\'id\')"}'}}}}},
            "get": {"security": [{"mine": []}], "responses": {},
                    "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": PROXY}}},
        "/any": {"x-amazon-apigateway-any-method": {
            "security": [{"api_key": []}],
            "x-amazon-apigateway-integration": {"type": "AWS_PROXY", "httpMethod": "POST", "uri": PROXY}}}},
}


def check_imported(id):
    answer, data = call(id, "POST", "/dev/pets/7?q=1", b'{"name":"x"}', {"Content-Type": "application/json"})
    assert (answer.status, json.loads(data)) == (200, {"id": "7"}) and answer.headers["X-A"] == "a", data
    for body in [b'{"name":1}', b'{"name":"x","owner":{"age":"old"}}']:
        answer, data = call(id, "POST", "/dev/pets/7?q=1", body, {"Content-Type": "application/json"})
        assert (answer.status, json.loads(data)) == (499, {"mine": "Invalid request body"}), data
    assert call(id, "POST", "/dev/pets/7", b'{"name":"x"}')[0].status == 499
    assert call(id, "GET", "/dev/pets/7", headers={"Authorization": "allow"})[0].status == 201
    assert call(id, "GET", "/dev/pets/7")[0].status == 499
    assert call(id, "PUT", "/dev/any")[0].status == 499


def test_import_and_export():
    made = api.import_rest_api(body=json.dumps(DEFINITION), parameters={"endpointConfigurationTypes": "REGIONAL"})
    id = made["id"]
    assert made["name"] == "imported" and made["version"] == "2" and made["binaryMediaTypes"] == ["image/png"]
    assert made["endpointConfiguration"]["types"] == ["REGIONAL"], made
    deploy(id)
    check_imported(id)
    exported = api.get_export(restApiId=id, stageName="dev", exportType="oas30",
                              parameters={"extensions": "apigateway"})
    document = json.loads(exported["body"].read())
    assert document["openapi"].startswith("3.") and "/pets/{id}" in document["paths"], document
    again = api.import_rest_api(body=json.dumps(document))
    deploy(again["id"])
    check_imported(again["id"])
    swagger = api.get_export(restApiId=id, stageName="dev", exportType="swagger",
                             parameters={"extensions": "apigateway"})
    document = json.loads(swagger["body"].read())
    assert document["swagger"] == "2.0" and "Pet" in document["definitions"]
    third = api.import_rest_api(body=json.dumps(document))
    deploy(third["id"])
    check_imported(third["id"])
    merged = api.put_rest_api(restApiId=id, mode="merge", body=json.dumps({
        "swagger": "2.0", "info": {"title": "merged"}, "paths": {"/more": {"get": {
            "responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": {
                "type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'},
                "responses": {"default": {"statusCode": "200"}}}}}}}))
    paths = {r["path"] for r in api.get_resources(restApiId=id)["items"]}
    assert paths == {"/", "/pets", "/pets/{id}", "/any", "/more"}, paths
    api.put_rest_api(restApiId=id, mode="overwrite", body=json.dumps({
        "swagger": "2.0", "info": {"title": "small"}, "basePath": "/base", "paths": {"/only": {}}}),
        parameters={"basepath": "prepend"})
    paths = {r["path"] for r in api.get_resources(restApiId=id)["items"]}
    assert paths == {"/", "/base", "/base/only"}, paths
    assert api.get_rest_api(restApiId=id)["name"] == "small"
    refused("BadRequestException", "", lambda: api.import_rest_api(body=b"neither: [json"))


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]
for test in TESTS:
    test()
    print(test.__name__, "ok")
print("all ok")
