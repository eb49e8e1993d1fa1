"""TLS: an authority that signs for every name, HTTP/2 by ALPN, and a WebSocket. Exits non-zero on the
first surprise."""

import http.client
import os
import socket
import ssl
import subprocess

import boto3
from websockets.sync.client import connect as open_socket

PORT, CERTIFICATE = int(os.environ["TLS_PORT"]), os.environ["TLS_CERTIFICATE"]
REGION = os.environ["AWS_DEFAULT_REGION"]
trusting = ssl.create_default_context(cafile=CERTIFICATE)


def dial(context, host):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", PORT)), server_hostname=host)


for host in ("localhost", "127.0.0.1", f"abc.execute-api.{REGION}.localhost",
             f"abc.lambda-url.{REGION}.localhost.localstack.cloud", "s3.localhost.localstack.cloud",
             "api.shop.example"):
    with dial(trusting, host) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3"), connection.version()
try:
    dial(ssl.create_default_context(), "localhost")
    raise AssertionError("a certificate nobody was told to trust was trusted")
except ssl.SSLCertVerificationError:
    pass
for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")):
    context = ssl.create_default_context(cafile=CERTIFICATE)
    context.set_alpn_protocols(offered)
    with dial(context, "localhost") as connection:
        assert connection.selected_alpn_protocol() == chosen, connection.selected_alpn_protocol()

connection = http.client.HTTPSConnection("localhost", PORT, context=trusting, timeout=60)
connection.request("GET", "/_localstack/health")
assert connection.getresponse().status == 200
# One that begins no handshake, and one that sends garbage, hold up nobody.
silent = socket.create_connection(("127.0.0.1", PORT))
garbage = socket.create_connection(("127.0.0.1", PORT))
garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
with dial(trusting, "localhost"):
    pass

api = boto3.client("apigatewayv2", endpoint_url=f"https://localhost:{PORT}", verify=CERTIFICATE)
made = api.create_api(Name="ws", ProtocolType="WEBSOCKET",
                      RouteSelectionExpression="$request.body.action")["ApiId"]
integration = api.create_integration(ApiId=made, IntegrationType="MOCK")["IntegrationId"]
route = api.create_route(ApiId=made, RouteKey="$default", Target=f"integrations/{integration}",
                         RouteResponseSelectionExpression="$default")["RouteId"]
api.create_route_response(ApiId=made, RouteId=route, RouteResponseKey="$default")
api.create_stage(ApiId=made, StageName="s", AutoDeploy=True)
with open_socket(f"wss://{made}.execute-api.{REGION}.localhost:{PORT}/s", ssl=trusting,
                 sock=socket.create_connection(("127.0.0.1", PORT))) as client:
    client.send("hello")
    assert client.recv(timeout=60) == "hello"
version = subprocess.run(["curl", "--version"], capture_output=True, text=True)
if version.returncode == 0 and "HTTP2" in version.stdout:
    said = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", CERTIFICATE, "-o", "/dev/null", "-w",
         "%{http_version} %{http_code}", f"https://localhost:{PORT}/_localstack/health"],
        capture_output=True, text=True)
    assert said.stdout == "2 200", said
print("tls ok", flush=True)
