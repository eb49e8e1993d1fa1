"""Functions' own addresses through boto3's signatures and plain HTTP, where policies count.
Exits non-zero on the first surprise."""

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
lam, iam = boto3.client("lambda"), boto3.client("iam")
ROLE = iam.create_role(
    RoleName="urls", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]

STREAMS = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const query = event.queryStringParameters ?? {};
  if (query.early) throw new Error("early");
  if (query.head) {
    stream = awslambda.HttpResponseStream.from(stream, {
      statusCode: 201, headers: { "X-One": "1", "Content-Type": "text/x" }, cookies: ["a=1", "b=2"] });
  }
  stream.write("first;");
  await new Promise((resolve) => setTimeout(resolve, query.slow ? 1500 : 20));
  if (query.late) throw new Error("late");
  stream.write(event.rawPath);
  stream.end();
});
"""
ECHO = """
exports.handler = async (event) => {
  if (event.rawPath === "/boom") throw new Error("no");
  if (event.rawPath === "/bad") return { statusCode: 99 };
  return { statusCode: 200, body: JSON.stringify(event) };
};
"""


def create(name, source, mode, auth):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.js", source)
    lam.create_function(FunctionName=name, Runtime="nodejs20.x", Handler="index.handler",
                        Role=ROLE, Code={"ZipFile": buffer.getvalue()}, Timeout=20, MemorySize=256)
    lam.get_waiter("function_active_v2").wait(FunctionName=name)
    url = lam.create_function_url_config(FunctionName=name, AuthType=auth, InvokeMode=mode)
    return urllib.parse.urlparse(url["FunctionUrl"]).netloc


def permit(name, principal, **more):
    for action, condition in (
            ("InvokeFunctionUrl", more),
            ("InvokeFunction", {"InvokedViaFunctionUrl": True})):
        lam.add_permission(FunctionName=name, StatementId=action, Principal=principal,
                           Action=f"lambda:{action}", **condition)


def call(host, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body, {"Host": host, **(headers or {})})
    return connection.getresponse()


def signed(host, path, key, method="GET", body=None):
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Host": host})
    SigV4Auth(key, "lambda", REGION).add_auth(request)
    return call(host, path, method, body, dict(request.headers.items()))


host = create("echo", ECHO, "BUFFERED", "NONE")
assert call(host, "/").status == 403, "everyone is not let in yet"
permit("echo", "*", FunctionUrlAuthType="NONE")
response = call(host, "/a?x=1", "POST", b"\xff", {"Content-Type": "image/png"})
event = json.loads(response.read())
assert event["body"] == "/w==" and event["isBase64Encoded"] is True, event
for path in ("/boom", "/bad"):
    response = call(host, path)
    assert response.status == 502 and response.read() == b"Internal Server Error", path
lam.put_function_concurrency(FunctionName="echo", ReservedConcurrentExecutions=0)
response = call(host, "/")
assert response.status == 429, response.status
assert json.loads(response.read())["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
print("buffered ok", flush=True)

host = create("streams", STREAMS, "RESPONSE_STREAM", "NONE")
permit("streams", "*", FunctionUrlAuthType="NONE")
response = call(host, "/p?head=1")
assert response.status == 201 and response.headers["x-one"] == "1", response.headers
assert response.headers.get_all("set-cookie") == ["a=1", "b=2"], response.headers
assert response.headers["content-type"] == "text/x" and response.read() == b"first;/p"
response = call(host, "/p")
assert response.headers["content-type"] == "application/octet-stream"
assert response.read() == b"first;/p"
assert call(host, "/?early=1").status == 502
# What the function writes first is there while it is still at work.
response = call(host, "/p?slow=1")
assert response.headers["transfer-encoding"] == "chunked", response.headers
assert response.read1(6) == b"first;"
assert response.read() == b"/p"
response = call(host, "/p?late=1")
try:
    body = response.read()
    raise AssertionError(f"a stream that broke off ended well: {body}")
except http.client.IncompleteRead as broken:
    assert broken.partial == b"first;", broken
print("streams ok", flush=True)

host = create("signed", ECHO, "BUFFERED", "AWS_IAM")
assert call(host, "/").status == 403
user = iam.create_user(UserName="caller")["User"]["Arn"]
key = iam.create_access_key(UserName="caller")["AccessKey"]
key = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
assert signed(host, "/", key).status == 403, "nobody lets the user in yet"
function = lam.get_function_configuration(FunctionName="signed")["FunctionArn"]


def allow(*actions):
    iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": action, "Resource": function,
            **({"Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}}
               if action.endswith("Url") else {})} for action in actions]}))


allow("lambda:InvokeFunctionUrl")
assert signed(host, "/", key).status == 403, "since October 2025 one is not enough"
allow("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
response = signed(host, "/a?b=c", key, "POST", b"hello")
event = json.loads(response.read())
assert response.status == 200 and event["body"] == "hello", event
assert event["requestContext"]["authorizer"]["iam"]["userArn"] == user, event
wrong = Credentials(key.access_key, "wrong")
assert signed(host, "/", wrong).status == 403
iam.delete_user_policy(UserName="caller", PolicyName="p")
assert signed(host, "/", key).status == 403
permit("signed", user, FunctionUrlAuthType="AWS_IAM")
assert signed(host, "/", key).status == 200, "the function's own policy lets the user in"
print("signatures ok", flush=True)
