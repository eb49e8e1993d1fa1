// The four exercises through the AWS SDK for JavaScript. Exits non-zero on the first surprise.
// Run from a folder that has the SDK; the zip of the function comes in ZIP_BASE64.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.cwd() + "/package.json");
const { LambdaClient, CreateFunctionCommand, InvokeCommand, CreateEventSourceMappingCommand,
  waitUntilFunctionActiveV2 } = require("@aws-sdk/client-lambda");
const { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand,
  PutBucketNotificationConfigurationCommand } = require("@aws-sdk/client-s3");
const { SQSClient, CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand,
  GetQueueUrlCommand } = require("@aws-sdk/client-sqs");
const { IAMClient, CreateRoleCommand } = require("@aws-sdk/client-iam");
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
const { CloudWatchLogsClient, FilterLogEventsCommand } = require("@aws-sdk/client-cloudwatch-logs");

const lambda = new LambdaClient({});
const s3 = new S3Client({ forcePathStyle: true });
const sqs = new SQSClient({});
const logs = new CloudWatchLogsClient({});
const role = "arn:aws:iam::000000000000:role/js-role";
const code = { ZipFile: Buffer.from(process.env.ZIP_BASE64, "base64") };

async function create(name) {
  await lambda.send(new CreateFunctionCommand({
    FunctionName: name, Runtime: "nodejs20.x", Handler: "index.handler", Role: role, Code: code,
    Timeout: 30,
  }));
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30 }, { FunctionName: name });
}

async function logged(name, text, count = 1) {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    try {
      const page = await logs.send(new FilterLogEventsCommand({
        logGroupName: `/aws/lambda/${name}`, filterPattern: `"${text}"`,
      }));
      if (page.events.length >= count) return page.events.map((event) => event.message);
    } catch (error) {
      if (error.name !== "ResourceNotFoundException") throw error;
    }
    await sleep(50);
  }
  throw new Error(`${name} did not log ${text}`);
}

const identity = await new STSClient({}).send(new GetCallerIdentityCommand({}));
assert.equal(identity.Account, "000000000000");
await new IAMClient({}).send(new CreateRoleCommand({
  RoleName: "js-role",
  AssumeRolePolicyDocument: JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
  }),
}));
console.log("identity ok");

await create("js-hello");
for (const call of [1, 2, 3]) {
  const answer = await lambda.send(new InvokeCommand({
    FunctionName: "js-hello", Payload: JSON.stringify({ greet: "haze" }), LogType: "Tail",
  }));
  assert.equal(answer.FunctionError, undefined);
  const body = JSON.parse(answer.Payload.transformToString());
  assert.deepEqual(body, { call, event: { greet: "haze" } });
}
console.log("hello, cold and warm ok");

await assert.rejects(lambda.send(new InvokeCommand({ FunctionName: "missing" })), {
  name: "ResourceNotFoundException",
});
await assert.rejects(sqs.send(new GetQueueUrlCommand({ QueueName: "missing" })), {
  name: "QueueDoesNotExist",
});
console.log("errors ok");

await create("js-objects");
await s3.send(new CreateBucketCommand({ Bucket: "js-bucket" }));
await s3.send(new PutBucketNotificationConfigurationCommand({
  Bucket: "js-bucket",
  NotificationConfiguration: {
    LambdaFunctionConfigurations: [{
      LambdaFunctionArn: "arn:aws:lambda:ap-northeast-1:000000000000:function:js-objects",
      Events: ["s3:ObjectCreated:*"],
    }],
  },
}));
await s3.send(new PutObjectCommand({ Bucket: "js-bucket", Key: "k", Body: "content" }));
const got = await s3.send(new GetObjectCommand({ Bucket: "js-bucket", Key: "k" }));
assert.equal(await got.Body.transformToString(), "content");
await logged("js-objects", "object k of 7 bytes");
console.log("object event ok");

await create("js-tasks");
const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "js-tasks" }));
const { Attributes } = await sqs.send(new GetQueueAttributesCommand({
  QueueUrl, AttributeNames: ["QueueArn"],
}));
await lambda.send(new CreateEventSourceMappingCommand({
  FunctionName: "js-tasks", EventSourceArn: Attributes.QueueArn, BatchSize: 5,
}));
const Entries = Array.from({ length: 10 }, (_, n) => ({ Id: `m${n}`, MessageBody: `${n}` }));
const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
assert.equal(sent.Successful.length, 10);
const tasks = await logged("js-tasks", "task", 10);
assert.equal(new Set(tasks.map((line) => line.trim().split("task ")[1])).size, 10);
for (const line of await logged("js-tasks", "batch of")) {
  assert.ok(Number(line.trim().split("batch of ")[1]) <= 5, line);
}
console.log("queue event ok");
