"""Messages and events to web endpoints: SNS's signatures and HTTPS, EventBridge's API destinations. Exits non-zero on the first surprise."""

import base64
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from common import until

ACCOUNT = "000000000000"
sns, sqs, bus = (boto3.client(name) for name in ("sns", "sqs", "events"))
REGION = sns.meta.region_name
got = []
answers = {}


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        path = urllib.parse.urlsplit(self.path).path
        got.append({"method": self.command, "path": self.path, "headers": self.headers, "body": body, "at": time.monotonic()})
        status, text = answers.get(path, [(200, "{}")])[0]
        if len(answers.get(path, [])) > 1:
            answers[path].pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


def serve(certificate=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def come(what, check):
    return until(what, check, 40, seen=got)


def requests(path):
    return [one for one in got if urllib.parse.urlsplit(one["path"]).path == path]


def verified(message):
    """As a subscriber checks a message, by the certificate of its URL."""
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    certificate = urllib.request.urlopen(message["SigningCertURL"]).read()
    digest = {"1": "-sha1", "2": "-sha256"}[message["SignatureVersion"]]
    with tempfile.TemporaryDirectory() as folder:
        write = lambda name, data: open(os.path.join(folder, name), "wb").write(data)
        write("certificate.pem", certificate)
        write("signature", base64.b64decode(message["Signature"]))
        write("text", text.encode())
        public = subprocess.run(
            ["openssl", "x509", "-in", "certificate.pem", "-pubkey", "-noout"], cwd=folder, check=True, capture_output=True)
        write("public.pem", public.stdout)
        checked = subprocess.run(
            ["openssl", "dgst", digest, "-verify", "public.pem", "-signature", "signature", "text"], cwd=folder, capture_output=True)
        return checked.returncode == 0


plain = serve()
secure = serve((os.environ["TEST_CERTIFICATE"], os.environ["TEST_KEY"]))

for version, protocol, port in [("1", "http", plain), ("2", "https", secure)]:
    topic = sns.create_topic(Name=f"topic-{version}", Attributes={"SignatureVersion": version})["TopicArn"]
    path = f"/sns-{version}"
    sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=f"{protocol}://localhost:{port}{path}")
    asked = json.loads(come("the question", lambda: requests(path))[0]["body"])
    assert asked["Type"] == "SubscriptionConfirmation" and asked["SignatureVersion"] == version
    assert verified(asked), asked
    sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
    sns.publish(TopicArn=topic, Message="hello\nthere", Subject="greeting")
    message = json.loads(come("the message", lambda: requests(path)[1:])[0]["body"])
    assert message["Message"] == "hello\nthere" and verified(message), message
    assert not verified({**message, "Message": "forged"})
print("signatures ok")

topic = sns.create_topic(Name="retried")["TopicArn"]
policy = {"healthyRetryPolicy": {
    "numRetries": 3, "numNoDelayRetries": 1, "minDelayTarget": 1, "maxDelayTarget": 1, "backoffFunction": "linear"}}
sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://localhost:{plain}/retried", Attributes={
    "DeliveryPolicy": json.dumps(policy), "RawMessageDelivery": "true"})
asked = json.loads(come("the question", lambda: requests("/retried"))[0]["body"])
sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
answers["/retried"] = [(503, ""), (503, ""), (200, "")]
sns.publish(TopicArn=topic, Message="again")
attempts = come("three attempts", lambda: len(requests("/retried")) >= 4 and requests("/retried")[1:])
assert [one["body"] for one in attempts] == ["again"] * 3
assert attempts[2]["at"] - attempts[1]["at"] >= 0.9, "the second retry waits a second"
print("retries ok")


def rule(name, destination, **http):
    bus.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    bus.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": destination, **http}])


def send(source, detail):
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail)}
    assert bus.put_events(Entries=[entry])["FailedEntryCount"] == 0


def destination(name, kind, parameters, **more):
    connection = bus.create_connection(Name=name, AuthorizationType=kind, AuthParameters=parameters)
    created = bus.create_api_destination(
        Name=name, ConnectionArn=connection["ConnectionArn"], HttpMethod="POST",
        **{"InvocationEndpoint": f"http://localhost:{plain}/{name}", **more})
    return created["ApiDestinationArn"]


key = destination("key", "API_KEY", {
    "ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"},
    "InvocationHttpParameters": {
        "BodyParameters": [{"Key": "added", "Value": "by the connection", "IsValueSecret": True}],
        "QueryStringParameters": [{"Key": "q", "Value": "a b"}]},
}, InvocationEndpoint=f"http://localhost:{plain}/key/*")
rule("key", key, HttpParameters={"PathParameterValues": ["one/two"], "HeaderParameters": {"x-mine": "1"}}, InputPath="$.detail")
send("key", {"n": 1})
sent = come("the request", lambda: requests("/key/one%2Ftwo"))[0]
assert sent["headers"]["x-key"] == "secret" and sent["headers"]["x-mine"] == "1"
assert sent["path"].endswith("?q=a%20b"), sent["path"]
assert json.loads(sent["body"]) == {"n": 1, "added": "by the connection"}
described = bus.describe_connection(Name="key")
assert described["ConnectionState"] == "AUTHORIZED"
assert "secret" not in json.dumps(described["AuthParameters"]) and "by the connection" not in json.dumps(described["AuthParameters"])

basic = destination("basic", "BASIC", {"BasicAuthParameters": {"Username": "me", "Password": "pw"}}, InvocationRateLimitPerSecond=2)
rule("basic", basic)
for number in range(4):
    send("basic", {"n": number})
calls = come("four requests", lambda: len(requests("/basic")) == 4 and requests("/basic"))
assert calls[0]["headers"]["authorization"] == "Basic " + base64.b64encode(b"me:pw").decode()
assert calls[3]["at"] - calls[0]["at"] >= 1.3, "two a second"

answers["/token"] = [(200, json.dumps({"access_token": "first", "expires_in": 3600})),
                     (200, json.dumps({"access_token": "second", "expires_in": 3600}))]
answers["/oauth"] = [(401, ""), (200, "")]
oauth = destination("oauth", "OAUTH_CLIENT_CREDENTIALS", {"OAuthParameters": {
    "ClientParameters": {"ClientID": "id", "ClientSecret": "hush"}, "HttpMethod": "POST",
    "AuthorizationEndpoint": f"http://localhost:{plain}/token"}})
come("it is authorized", lambda: bus.describe_connection(Name="oauth")["ConnectionState"] == "AUTHORIZED")
form = urllib.parse.parse_qs(requests("/token")[0]["body"])
assert form == {"grant_type": ["client_credentials"], "client_id": ["id"], "client_secret": ["hush"]}, form
rule("oauth", oauth)
send("oauth", {})
calls = come("another token", lambda: len(requests("/oauth")) == 2 and requests("/oauth"))
assert [one["headers"]["authorization"] for one in calls] == ["Bearer first", "Bearer second"]

letters = sqs.create_queue(QueueName="letters")["QueueUrl"]
bus.deauthorize_connection(Name="key")
rule("closed", key, DeadLetterConfig={"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"})
send("closed", {})
letter = come("the dead letter", lambda: sqs.receive_message(
    QueueUrl=letters, WaitTimeSeconds=5, MessageAttributeNames=["All"]).get("Messages"))[0]
assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "CONNECTION_DEAUTHORIZED", letter
names = [one["Name"] for one in bus.list_connections()["Connections"]]
assert names == ["basic", "key", "oauth"], names
assert len(bus.list_api_destinations(NamePrefix="o")["ApiDestinations"]) == 1
bus.delete_api_destination(Name="key")
bus.delete_connection(Name="key")
print("end ok")
