// The life of a Node.js environment: boot, become a function, answer events.

"use strict";

const Module = require("node:module");

const { buildContext, configure } = require("./lib/context.cjs");
const { describe, format, unstringifiable, UnhandledPromiseRejection } = require("./lib/errors.cjs");
const { Frames, Kind } = require("./lib/frames.cjs");
const { load } = require("./lib/handler.cjs");
const { InvokeStore } = require("./lib/invoke-store.cjs");
const model = require("./lib/model.cjs");
const { logError, patchConsole, setRequestId } = require("./lib/output.cjs");
const { responseStream, streams, warnOfResult } = require("./lib/streaming.cjs");

const frames = new Frames();
const invokeStore = new InvokeStore();
globalThis.awslambda.InvokeStore = invokeStore;
// With what Node.js ends where a module still awaits something when nothing is left to do.
const UNSETTLED_AWAIT = 13;
// Whatever functions put in its place.
const nextTurn = setImmediate;

// Where an error goes that nobody caught: to the init, or to the invocation under way.
let report = (error) => frames.send(Kind.initError, ...errorFrame(error));
// What happens when nothing is left to wait for, in the init or while an invocation is under way.
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
  let told = await frames.receive();
  while (told.kind === Kind.rehearse) {
    await rehearse(told.header);
    frames.send(Kind.booted);
    told = await frames.receive();
  }
  const handler = await become(told.header);
  if (handler === undefined) return;
  for (;;) {
    const event = await frames.receive();
    await invoke(handler, event.header, event.payload);
  }
}

// Does once what becoming a function and answering events will do, and leaves nothing behind that a
// function could see: a parked environment has time for it.
async function rehearse(specialise) {
  const root = "/var/runtime/node/rehearsal";
  const before = { ...process.env };
  const unreported = report;
  Object.assign(process.env, specialise.environment);
  configure(process.env);
  process.chdir(root);
  await load(root, "module.handler");
  const { handler } = await load(root, "index.handler");
  const event = Buffer.from('{"key1":"value1","key2":[1,2.5,true,null]}');
  for (let count = 0; count < 3; count++) {
    await invoke(handler, { id: "rehearsal", deadline_ms: 1, arn: "rehearsal" }, event, () => {});
  }
  delete require.cache[`${root}/index.js`];
  process.chdir("/");
  for (const name of Object.keys(process.env)) {
    if (!(name in before)) delete process.env[name];
  }
  Object.assign(process.env, before);
  configure(process.env);
  setRequestId(undefined);
  invokeStore.run(undefined, () => {});
  report = unreported;
}

async function become(specialise) {
  const folders = process.env.NODE_PATH;
  for (const [name, value] of Object.entries(specialise.environment)) {
    if (process.env[name] !== value) process.env[name] = value;
  }
  // It is read when Node starts, and this process may have started as nobody's.
  if (process.env.NODE_PATH !== folders) Module._initPaths();
  configure(process.env);
  model.choose(process.env);
  patchConsole(process.env);
  process.chdir(specialise.task_root);
  const started = performance.now();
  // A module that awaits what never comes ends the runtime, as soon as there is nothing else to do:
  // for which the socket does not count. AWS's client waits for it at the top level of a module of its
  // own, so that Node.js ends with that status; since 4.0, which nodejs24.x has, with none.
  whenEmpty = model.hasCallbacks() ? () => process.exit(UNSETTLED_AWAIT) : null;
  frames.unref();
  try {
    const { handler, codeMicros } = await load(specialise.task_root, specialise.handler);
    // A rejection that nobody handles is told at the end of the turn: it belongs to the init.
    await new Promise(nextTurn);
    whenEmpty = null;
    frames.ref();
    report = () => {};
    const total = Math.round((performance.now() - started) * 1000);
    frames.send(Kind.ready, { code_us: codeMicros, init_us: Math.max(total - codeMicros, 0) });
    return handler;
  } catch (error) {
    end(model.hasCallbacks() ? "Uncaught Exception" : "Init Error", error, 129);
    return undefined;
  }
}

// Says what happened, where it belongs, and ends the environment.
function end(title, error, code) {
  logError(title, error, format);
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
function invoke(handler, header, payload, send = (...frame) => frames.send(...frame)) {
  return new Promise((resolve) => {
    setRequestId(header.id, header.tenant_id);
    if (header.trace === undefined) delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = header.trace;

    let answered = false;
    const answer = (kind, fields, body) => {
      if (answered) return;
      answered = true;
      whenEmpty = null;
      report = () => {};
      frames.ref();
      send(kind, fields, body);
      resolve();
    };
    const succeed = (result) => {
      let body;
      try {
        body = Buffer.from(JSON.stringify(result === undefined ? null : result) ?? "null");
      } catch {
        fail(unstringifiable());
        return;
      }
      answer(Kind.response, undefined, body);
    };
    const fail = (error) => {
      if (answered) return;
      logError("Invoke Error", error, format);
      const document = describe(error);
      const body = Buffer.from(JSON.stringify(document));
      answer(Kind.error, { error_type: document.errorType }, body);
    };

    report = (error) => answer(Kind.error, ...errorFrame(error));
    // A function that never answers, and has nothing left to do, has answered null; where it must
    // return its answer, Node.js ends.
    const nothing = () => answer(Kind.response, undefined, Buffer.from("null"));
    whenEmpty = model.hasCallbacks() ? nothing : null;
    // The socket must not count as something to wait for.
    frames.unref();

    const context = buildContext(header);
    const isOpen = () => !answered;
    const later = (settle) => {
      if (!answered) whenEmpty = () => nextTurn(settle);
    };
    invokeStore.enter(header, () => {
      const run = streams(handler) ? stream : model.hasCallbacks() ? callBack : awaitResult;
      run(handler, payload, context, { answer, succeed, fail, isOpen, later });
    });
  });
}

// Runs a handler that returns what it answers, or a promise of it.
async function awaitResult(handler, payload, context, { succeed, fail }) {
  let settle;
  try {
    const result = await handler(parse(payload), context);
    settle = () => succeed(result);
  } catch (error) {
    settle = () => fail(error);
  }
  // A rejection that nobody handles is told at the end of the turn: it belongs to the invocation.
  nextTurn(settle);
}

// Runs a handler of a runtime before nodejs24.x, which may call back, tell its context or return a
// promise. The first of them counts.
function callBack(handler, payload, context, { succeed, fail, later }) {
  let isSettled = false;
  const first = (settle) => (error, result) => {
    if (isSettled) return;
    isSettled = true;
    settle(error, result);
  };
  const isError = (error) => error !== undefined && error !== null;
  const callback = first((error, result) => {
    if (isError(error)) fail(error);
    else if (context.callbackWaitsForEmptyEventLoop) later(() => succeed(result));
    else succeed(result);
  });
  const done = first((error, result) => {
    if (isError(error)) fail(error);
    else succeed(result);
  });
  const resolved = (result) => done(null, result);
  const rejected = (error) => done(error ?? "handled");
  Object.assign(context, { done, succeed: resolved, fail: rejected });
  try {
    const returned = handler(parse(payload), context, callback);
    if (typeof returned?.then === "function") returned.then(resolved, rejected);
  } catch (error) {
    // Nothing that was thrown is no error.
    callback(error);
  }
}

const parse = (payload) => JSON.parse(payload.toString("utf8"));

// Runs a handler that writes its response to a stream. It has answered when its promise has resolved
// and the stream has ended.
async function stream(handler, payload, context, { answer, fail, isOpen }) {
  const response = responseStream(handler, (piece, sent) => {
    if (isOpen()) frames.send(Kind.piece, undefined, piece, () => sent());
    else sent();
  });
  const ended = new Promise((resolve, reject) => {
    response.once("finish", resolve);
    response.once("error", reject);
  });
  // It may fail before anybody waits for it.
  ended.catch(() => {});
  // Nothing is left to do: whether it has said so or not, the response is complete.
  whenEmpty = () => answer(Kind.response);
  try {
    const returned = handler(parse(payload), response, context);
    if (typeof returned?.then !== "function") {
      throw new Error("Streaming does not support non-async handlers.");
    }
    warnOfResult(await returned);
    await ended;
    answer(Kind.response);
  } catch (error) {
    fail(error);
  }
}
