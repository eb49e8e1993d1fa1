// A thread of an environment that has several events at once: it becomes the function, and answers its
// part of them beside each other.

"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");
const { parentPort, workerData } = require("node:worker_threads");

const { Api } = require("./api.cjs");
const { buildContext, configure } = require("./context.cjs");
const { describe, format, unstringifiable, UnhandledPromiseRejection } = require("./errors.cjs");
const { load } = require("./handler.cjs");
const { InvokeStore } = require("./invoke-store.cjs");
const { choose } = require("./model.cjs");
const { logError, patchConsole, shareWith } = require("./output.cjs");
const { responseStream, streams, warnOfResult } = require("./streaming.cjs");

const api = new Api();
// Apart from that, so that asking for more can end before answering does.
const source = new Api();
const invocations = new InvokeStore(new AsyncLocalStorage());
globalThis.awslambda.InvokeStore = invocations;
// Each with what answers it that it has failed.
const running = new Map();
const lock = new Int32Array(workerData.lock);
let isEnding = false;

main();

async function main() {
  const invocation = () => {
    if (!invocations.hasContext()) return {};
    return { requestId: invocations.getRequestId(), tenantId: invocations.getTenantId() };
  };
  shareWith({ invocation, alone });
  patchConsole(process.env);
  configure(process.env);
  choose(process.env, { isShared: true });
  let isInit = true;
  const end = async (title, error, code) => {
    isEnding = true;
    source.close();
    logError(title, error, format);
    const body = JSON.stringify(describe(error));
    if (isInit) await api.post("init/error", body).catch(() => {});
    await Promise.all([...running.values()].map((fail) => fail(body)));
    process.exit(code);
  };
  process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
  process.on("unhandledRejection", (reason, promise) => {
    end("Unhandled Promise Rejection", new UnhandledPromiseRejection(reason, promise), 128);
  });
  let handler;
  try {
    ({ handler } = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER));
    // A rejection that nobody handles is told at the end of the turn: it belongs to the init.
    await new Promise(setImmediate);
  } catch (error) {
    await end("Init Error", error, 129);
    return;
  }
  isInit = false;
  for (let count = 0; count < workerData.events; count++) answerEvents(handler);
}

async function answerEvents(handler) {
  while (!isEnding) {
    let event;
    try {
      event = await source.next();
    } catch {
      if (isEnding) return;
      // The server is gone.
      process.exit(0);
    }
    await invoke(handler, event.header, event.payload);
  }
}

async function invoke(handler, header, payload) {
  const { id } = header;
  parentPort.postMessage({ began: id });
  const context = buildContext(header);
  const answered = new Promise((resolve) => {
    let isOpen = true;
    const answer = (sent) => {
      isOpen = false;
      running.delete(id);
      resolve(sent.catch(() => {}));
    };
    const fail = (error) => {
      if (!isOpen) return;
      logError("Invoke Error", error, format);
      answer(api.post(`invocation/${id}/error`, JSON.stringify(describe(error))));
    };
    const succeed = (result) => {
      if (!isOpen) return;
      let body;
      try {
        body = JSON.stringify(result === undefined ? null : result) ?? "null";
      } catch {
        fail(unstringifiable());
        return;
      }
      answer(api.post(`invocation/${id}/response`, body));
    };
    running.set(id, (body) => {
      const sent = api.post(`invocation/${id}/error`, body);
      answer(sent);
      return sent.catch(() => {});
    });
    invocations.enter(header, async () => {
      if (streams(handler)) {
        stream(handler, payload, context, { id, answer, fail });
        return;
      }
      let result;
      try {
        result = await handler(JSON.parse(payload.toString("utf8")), context);
      } catch (error) {
        fail(error);
        return;
      }
      succeed(result);
    });
  });
  await answered;
  parentPort.postMessage({ ended: id });
}

// Runs a handler that writes its response to a stream.
async function stream(handler, payload, context, { id, answer, fail }) {
  let sent;
  const open = () => (sent ??= api.stream(id));
  const response = responseStream(handler, (piece, then) => open().call.write(piece, () => then()));
  const ended = new Promise((resolve, reject) => {
    response.once("finish", resolve);
    response.once("error", reject);
  });
  // It may fail before anybody waits for it.
  ended.catch(() => {});
  try {
    const returned = handler(JSON.parse(payload.toString("utf8")), response, context);
    if (typeof returned?.then !== "function") {
      throw new Error("Streaming does not support non-async handlers.");
    }
    warnOfResult(await returned);
    await ended;
    open().call.end();
    answer(sent.ended);
  } catch (error) {
    if (sent === undefined) {
      fail(error);
      return;
    }
    // What has been sent cannot be taken back: the error goes behind it.
    logError("Invoke Error", error, format);
    const document = describe(error);
    sent.call.addTrailers({
      "Lambda-Runtime-Function-Error-Type": document.errorType,
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(document)).toString("base64"),
    });
    sent.call.end();
    answer(sent.ended);
  }
}

// Keeps what one of several threads writes together.
function alone(write) {
  while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) Atomics.wait(lock, 0, 1);
  try {
    write();
  } finally {
    Atomics.store(lock, 0, 0);
    Atomics.notify(lock, 0, 1);
  }
}
