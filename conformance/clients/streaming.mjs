// A streamed response through the AWS SDK for JavaScript. Run from a folder that has the SDK; the zip of the function comes in ZIP_BASE64.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/package.json");
const { LambdaClient, CreateFunctionCommand, InvokeWithResponseStreamCommand,
  waitUntilFunctionActiveV2 } = require("@aws-sdk/client-lambda");
const { IAMClient, CreateRoleCommand } = require("@aws-sdk/client-iam");

const lambda = new LambdaClient({});
await new IAMClient({}).send(new CreateRoleCommand({
  RoleName: "js-streams",
  AssumeRolePolicyDocument: JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
  }),
}));
await lambda.send(new CreateFunctionCommand({
  FunctionName: "js-streams", Runtime: "nodejs20.x", Handler: "index.handler", Timeout: 20,
  Role: "arn:aws:iam::000000000000:role/js-streams",
  Code: { ZipFile: Buffer.from(process.env.ZIP_BASE64, "base64") },
}));
await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30 }, { FunctionName: "js-streams" });

const answer = await lambda.send(new InvokeWithResponseStreamCommand({
  FunctionName: "js-streams", Payload: JSON.stringify({ name: "haze" }), LogType: "Tail",
}));
assert.equal(answer.ExecutedVersion, "$LATEST");
const texts = [];
let complete;
for await (const event of answer.EventStream) {
  if (event.PayloadChunk) texts.push(Buffer.from(event.PayloadChunk.Payload).toString());
  else complete = event.InvokeComplete;
}
assert.equal(texts.join(""), "hello haze");
assert.equal(complete.ErrorCode, undefined);
assert.match(Buffer.from(complete.LogResult, "base64").toString(), /REPORT RequestId/);
console.log("streaming ok");
