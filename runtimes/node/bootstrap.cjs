// The life of a Node.js environment: boot, become a function, answer events.

"use strict";

const { buildContext, configure } = require("./lib/context.cjs");
const { describe, format, UnhandledPromiseRejection } = require("./lib/errors.cjs");
const { Frames, Kind } = require("./lib/frames.cjs");
const { load } = require("./lib/handler.cjs");
const { patchConsole, setRequestId } = require("./lib/output.cjs");

const frames = new Frames();
// Whatever functions put in its place.
const nextTurn = setImmediate;

// Where an error goes that nobody caught: to the init, or to the invocation under way.
let report = (error) => frames.send(Kind.initError, ...errorFrame(error));
// What happens when nothing is left to wait for, while an invocation is under way.
let whenEmpty = null;

main();

async function main() {
  patchConsole();
  process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
  process.on("unhandledRejection", (reason, promise) => {
    end("Unhandled Promise Rejection", new UnhandledPromiseRejection(reason, promise), 128);
  });
  process.on("beforeExit", () => whenEmpty?.());
  frames.send(Kind.booted);
  // Until here nothing is any function's.
  const { header } = await frames.receive();
  const handler = await become(header);
  if (handler === undefined) return;
  for (;;) {
    const event = await frames.receive();
    await invoke(handler, event.header, event.payload);
  }
}

async function become(specialise) {
  for (const [name, value] of Object.entries(specialise.environment)) {
    if (process.env[name] !== value) process.env[name] = value;
  }
  configure(process.env);
  process.chdir(specialise.task_root);
  const started = performance.now();
  try {
    const { handler, codeMicros } = await load(specialise.task_root, specialise.handler);
    // A rejection that nobody handles is told at the end of the turn: it belongs to the init.
    await new Promise(nextTurn);
    report = () => {};
    const total = Math.round((performance.now() - started) * 1000);
    frames.send(Kind.ready, { code_us: codeMicros, init_us: Math.max(total - codeMicros, 0) });
    return handler;
  } catch (error) {
    end("Uncaught Exception", error, 129);
    return undefined;
  }
}

// Says what happened, where it belongs, and ends the environment.
function end(title, error, code) {
  console.error(title, format(error));
  report(error);
  frames.flushed(() => process.exit(code));
}

// The frame of an error after which the runtime ends.
function errorFrame(error) {
  const document = describe(error);
  return [
    { error_type: document.errorType, ends: true },
    Buffer.from(JSON.stringify(document)),
  ];
}

// Resolves when the answer is sent.
function invoke(handler, header, payload) {
  return new Promise((resolve) => {
    setRequestId(header.id);
    if (header.trace === undefined) delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = header.trace;

    let answered = false;
    const answer = (kind, fields, body) => {
      if (answered) return;
      answered = true;
      whenEmpty = null;
      report = () => {};
      frames.ref();
      frames.send(kind, fields, body);
      resolve();
    };
    const succeed = (result) => {
      let body;
      try {
        body = Buffer.from(JSON.stringify(result === undefined ? null : result) ?? "null");
      } catch {
        fail(new Error("Unable to stringify response body"));
        return;
      }
      answer(Kind.response, undefined, body);
    };
    const fail = (error) => {
      if (answered) return;
      console.error("Invoke Error", format(error));
      const document = describe(error);
      const body = Buffer.from(JSON.stringify(document));
      answer(Kind.error, { error_type: document.errorType }, body);
    };
    const settle = (error, result) => {
      if (error === undefined || error === null) succeed(result);
      else fail(error);
    };

    report = (error) => answer(Kind.error, ...errorFrame(error));
    // A function that never answers, and has nothing left to do, has answered null.
    whenEmpty = () => answer(Kind.response, undefined, Buffer.from("null"));
    // The socket must not count as something to wait for.
    frames.unref();

    const context = buildContext(header);
    const callback = (error, result) => {
      if (answered) return;
      if (context.callbackWaitsForEmptyEventLoop === false) settle(error, result);
      else whenEmpty = () => setImmediate(() => settle(error, result));
    };
    const now = (error, result) => {
      context.callbackWaitsForEmptyEventLoop = false;
      settle(error, result);
    };
    context.done = (error, result) => callback(error, result);
    context.succeed = (result) => now(null, result);
    context.fail = (error) => now(error ?? "handled", null);

    try {
      const returned = handler(JSON.parse(payload.toString("utf8")), context, callback);
      if (typeof returned?.then === "function") {
        returned.then(context.succeed, (error) => now(error ?? new Error(String(error)), null));
      }
    } catch (error) {
      fail(error);
    }
  });
}
