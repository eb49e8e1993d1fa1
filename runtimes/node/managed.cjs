// The life of a Node.js environment that has several events at once: threads, each of which is the
// function and has some of them.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-nodejs-runtime.html

"use strict";

const { availableParallelism } = require("node:os");
const { Worker } = require("node:worker_threads");

const { Api } = require("./lib/api.cjs");

const concurrency = Number.parseInt(process.env.AWS_LAMBDA_MAX_CONCURRENCY, 10);
const asked = Number.parseInt(process.env.AWS_LAMBDA_NODEJS_WORKER_COUNT, 10);
const count = Math.min(asked > 0 ? asked : availableParallelism(), concurrency);
// Held by the thread that writes to the log.
const lock = new SharedArrayBuffer(4);
let left = count;

for (let number = 0; number < count; number++) {
  // As equal as can be.
  const events = Math.floor((concurrency + number) / count);
  start(events);
}

function start(events) {
  const worker = new Worker(`${__dirname}/lib/managed.cjs`, { workerData: { events, lock } });
  // What it has, for when it cannot say so any more.
  const running = new Set();
  worker.on("message", ({ began, ended }) => {
    if (began !== undefined) running.add(began);
    else running.delete(ended);
  });
  // It has told what it could.
  worker.on("error", () => {});
  worker.on("exit", async (code) => {
    await Promise.all([...running].map((id) => report(id, code)));
    left -= 1;
    // None is left: the environment is of no use any more.
    if (left === 0) process.exit(1);
  });
}

// Answers for a thread that has ended with an invocation.
async function report(id, code) {
  const errorMessage = `RequestId: ${id} Error: Runtime exited with error: exit status ${code}`;
  const document = { errorType: "Runtime.ExitError", errorMessage };
  await new Api().post(`invocation/${id}/error`, JSON.stringify(document)).catch(() => {});
}
