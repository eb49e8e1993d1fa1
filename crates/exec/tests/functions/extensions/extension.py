#!/usr/bin/python3
"""An extension that does what its configuration says, and prints what it is told."""

import http.client
import http.server
import json
import os
import sys
import threading
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
CONFIG = json.loads(os.environ.get("EXTENSION", "{}"))


def say(text):
    print("%s: %s" % (NAME, text), flush=True)


def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(API)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read())


class Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        for event in json.loads(body):
            say("telemetry " + json.dumps(event))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def subscribe(identity):
    port = 4243
    server = http.server.ThreadingHTTPServer(("sandbox.localdomain", port), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request = {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function"],
        "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d" % port},
    }
    if CONFIG.get("bad_subscription"):
        request["types"] = []
        del request["destination"]
    answer, body = call(
        "PUT", "/2022-07-01/telemetry", request, Lambda_Extension_Identifier=identity
    )
    say("subscribed %d %s" % (answer.status, json.dumps(body)))


def main():
    if CONFIG.get("crash"):
        sys.exit(3)
    if CONFIG.get("silent"):
        time.sleep(60)
    answer, body = call(
        "POST",
        "/2020-01-01/extension/register",
        {"events": CONFIG.get("events", ["INVOKE", "SHUTDOWN"])},
        Lambda_Extension_Name=NAME,
        Lambda_Extension_Accept_Feature="accountId",
    )
    say("registered %d %s" % (answer.status, json.dumps(body, sort_keys=True)))
    identity = answer.headers["Lambda-Extension-Identifier"]
    say("sees handler %s" % os.environ.get("_HANDLER"))
    if CONFIG.get("telemetry"):
        subscribe(identity)
    if CONFIG.get("init_error"):
        call(
            "POST",
            "/2020-01-01/extension/init/error",
            {},
            Lambda_Extension_Identifier=identity,
            Lambda_Extension_Function_Error_Type="Extension.Mine",
        )
        sys.exit(1)
    while True:
        _, event = call(
            "GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=identity
        )
        kind = event["eventType"]
        say("told %s" % json.dumps(event, sort_keys=True))
        if kind == "SHUTDOWN":
            if CONFIG.get("telemetry"):
                time.sleep(0.5)
            say("ends")
            return
        if CONFIG.get("crash_at_event"):
            sys.exit(4)
        time.sleep(CONFIG.get("work", 0))
        say("worked")


main()
