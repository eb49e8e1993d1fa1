"""The same for Node.js: one set of functions on AWS's runtime client, as a custom runtime, and on
Kagero's own. The client's folder is the argument. Exits non-zero where they are not alike."""

import os
import re
import sys

from runtime_clients_common import Clients

PACKAGE = os.path.join(sys.argv[1], "node_modules", "aws-lambda-ric")

INDEX = """
const util = require("node:util");
class Mine extends Error {
  constructor(message) { super(message); this.name = "Mine"; this.code = "E7"; }
}
exports.results = async (event) => ({ text: "\\u00e9\\u4e16", n: 1.5, none: undefined, event });
exports.scalar = async (event) => event.value;
exports.nothing = async () => {};
exports.callback = (event, context, callback) => callback(null, { via: "callback" });
exports.failing = (event, context, callback) => callback(new Mine("no"));
exports.sync = () => "ignored";
exports.done = (event, context) => context.succeed({ via: "succeed" });
exports.raises = async () => { throw new Mine("what\\nhappened"); };
exports.throws = () => { throw new TypeError("at once"); };
exports.rejects = async () => Promise.reject("a string");
exports.circular = async () => { const found = {}; found.found = found; return found; };
exports.leaves = async (event, context) => ({
  id: context.awsRequestId.length, name: context.functionName, version: context.functionVersion,
  memory: context.memoryLimitInMB, group: context.logGroupName, client: context.clientContext,
  empty: context.callbackWaitsForEmptyEventLoop, left: context.getRemainingTimeInMillis() > 0,
});
exports.logs = async () => {
  console.debug("low %d", 1);
  console.log("one", { two: [3] }, "four");
  console.info(undefined);
  console.warn("two\\nlines");
  console.log({ order: 7 });
  console.error("caught", new Mine("lost"));
  console.trace("traced");
};
exports.notAFunction = 7;
exports.deep = { er: async () => "deep" };
"""
FILES = {
    "index.js": INDEX,
    "module.mjs": "export const handler = async () => 'module';\n",
    "broken.js": "exports.handler = async ( => 1;\n",
    "absent.js": "require('nowhere');\n",
    "fails.js": "throw new RangeError('at once');\n",
}
CASES = [
    ("index.results", {"a": [1, 2.5, "\u00e9"]}),
    ("index.scalar", {"value": None}),
    ("index.scalar", {"value": "text"}),
    ("index.nothing", {}),
    ("index.callback", {}),
    ("index.failing", {}),
    ("index.sync", {}),
    ("index.done", {}),
    ("index.raises", {}),
    ("index.throws", {}),
    ("index.rejects", {}),
    ("index.circular", {}),
    ("index.leaves", {}),
    ("index.logs", {}),
    ("index.deep.er", {}),
    ("module.handler", {}),
    ("index.missing", {}),
    ("index.notAFunction", {}),
    ("broken.handler", {}),
    ("absent.handler", {}),
    ("fails.handler", {}),
    ("nowhere.handler", {}),
]
# In the place of its native part, which only sends answers, and returns when they are sent.
NATIVE = """
const { execFileSync } = require("node:child_process");
const Module = require("node:module");
const POST = `
const [path, type] = process.argv.slice(1);
const headers = type ? { "Lambda-Runtime-Function-Error-Type": type } : {};
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const request = require("node:http").request({ host, port, path, method: "POST", headers });
process.stdin.pipe(request);
request.on("response", (response) => response.resume());
`;
function post(id, what, input, type = "") {
  const path = `/2018-06-01/runtime/invocation/${id}/${what}`;
  const env = { AWS_LAMBDA_RUNTIME_API: process.env.AWS_LAMBDA_RUNTIME_API };
  execFileSync(process.execPath, ["-e", POST, path, type], { input, env });
}
const native = {
  initializeClient() {},
  done: (id, body) => post(id, "response", body),
  error: (id, body) => post(id, "error", body, JSON.parse(body).errorType),
};
const load = Module._load;
Module._load = (name, ...rest) => (name.endsWith("rapid-client.node") ? native : load(name, ...rest));
"""
BOOTSTRAP = """#!/bin/sh
export AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1=true
cd /var/task
exec /usr/bin/node --require /var/task/ric/native.cjs /var/task/ric/start.mjs "$_HANDLER"
"""
START = """
import { run } from "./index.mjs";
await run(process.cwd(), process.argv[2]);
"""


def client():
    with open(os.path.join(PACKAGE, "dist", "index.mjs")) as file:
        return {
            "bootstrap": BOOTSTRAP, "ric/index.mjs": file.read(), "ric/native.cjs": NATIVE,
            "ric/start.mjs": START,
        }


def without_frames(text):
    """Without the frames of either client and of Node.js itself below the function's own."""
    own = r'/var/runtime/|/var/task/ric/|node:internal|new Promise \(<anonymous>\)'
    text = re.sub(r',?"    at [^"]*(%s)[^"]*"' % own, "", text)
    text = re.sub(r'\\n    at [^"\\]*(%s)[^"\\]*' % own, "", text)
    text = re.sub(r" \[as [a-zA-Z]+\]", "", text)
    text = text.replace("- /var/task/ric/index.mjs", "- /var/runtime/index.mjs")
    return None if re.match(r"\s+at .*(%s)" % own, text) else text


Clients(os.environ["NODE_RUNTIME"], client(), FILES, without_frames).compare(CASES)
