"""APIs where signatures are checked and policies count. Exits non-zero on the first surprise."""

import http.client
import io
import json
import os
import urllib.parse
import zipfile

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT = int(os.environ["AWS_ENDPOINT_URL"].rsplit(":", 1)[1])
REGION = os.environ["AWS_DEFAULT_REGION"]
lam, iam, api = (boto3.client(name) for name in ("lambda", "iam", "apigatewayv2"))
ROLE = iam.create_role(
    RoleName="apis", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr("index.py", "def handler(event, context):\n    return event\n")
function = lam.create_function(
    FunctionName="echo", Runtime="python3.12", Handler="index.handler", Role=ROLE,
    Code={"ZipFile": buffer.getvalue()})["FunctionArn"]


def call(host, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body, {"Host": host, **(headers or {})})
    response = connection.getresponse()
    return response.status, response.read()


def signed(host, path, key, method="GET", body=None):
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Host": host})
    SigV4Auth(key, "execute-api", REGION).add_auth(request)
    return call(host, path, method, body, dict(request.headers.items()))


made = api.create_api(Name="a", ProtocolType="HTTP", Target=function)
api_id, host = made["ApiId"], urllib.parse.urlparse(made["ApiEndpoint"]).netloc
assert call(host, "/") == (500, b'{"message":"Internal Server Error"}'), "nobody lets it in yet"
lam.add_permission(
    FunctionName="echo", StatementId="other", Principal="apigateway.amazonaws.com",
    Action="lambda:InvokeFunction",
    SourceArn=f"arn:aws:execute-api:{REGION}:000000000000:{api_id}/*/GET/other")
assert call(host, "/")[0] == 500, "another route was let in"
lam.add_permission(
    FunctionName="echo", StatementId="api", Principal="apigateway.amazonaws.com",
    Action="lambda:InvokeFunction",
    SourceArn=f"arn:aws:execute-api:{REGION}:000000000000:{api_id}/*/*")
assert call(host, "/")[0] == 200
print("functions ok", flush=True)

integration = api.get_integrations(ApiId=api_id)["Items"][0]["IntegrationId"]
api.create_route(ApiId=api_id, RouteKey="ANY /mine/{id}", AuthorizationType="AWS_IAM",
                 Target=f"integrations/{integration}")
user = iam.create_user(UserName="caller")["User"]["Arn"]
key = iam.create_access_key(UserName="caller")["AccessKey"]
key = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
assert call(host, "/mine/1") == (403, b'{"message":"Forbidden"}')
assert signed(host, "/mine/1", key)[0] == 403, "nothing allows the user yet"


def allow(action, rest):
    iam.put_user_policy(UserName="caller", PolicyName=action.split(":")[1], PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": action,
            "Resource": f"arn:aws:execute-api:{REGION}:000000000000:{rest}"}]}))


allow("execute-api:Invoke", f"{api_id}/$default/POST/mine/*")
assert signed(host, "/mine/1", key)[0] == 403, "GET is not POST"
status, body = signed(host, "/mine/1?a=b", key, "POST", b"hello")
event = json.loads(body)
assert status == 200 and event["body"] == "hello", event
assert event["requestContext"]["authorizer"]["iam"]["userArn"] == user, event
assert signed(host, "/mine/1", Credentials(key.access_key, "wrong"), "POST", b"x")[0] == 403
by_path = f"/_aws/execute-api/{api_id}/$default/mine/1"
assert signed(f"127.0.0.1:{PORT}", by_path, key, "POST", b"hello")[0] == 200
print("signatures ok", flush=True)

ws = api.create_api(Name="ws", ProtocolType="WEBSOCKET",
                    RouteSelectionExpression="$request.body.action")
ws_id = ws["ApiId"]
api.create_stage(ApiId=ws_id, StageName="s", AutoDeploy=True)
management = f"{ws_id}.execute-api.{REGION}.localhost:{PORT}"
path = "/s/@connections/none"
assert call(management, path, "POST", b"x")[0] == 403
assert signed(management, path, key, "POST", b"x")[0] == 403
allow("execute-api:ManageConnections", f"{ws_id}/s/*/@connections/*")
assert signed(management, path, key, "POST", b"x")[0] == 410
print("connections ok", flush=True)
