// The console, as Lambda has it: each call is one log event, with time, request and level.
//
// It goes to the server as records (crates/exec/src/logs/records.rs). Descriptors 1 and 2 stay
// what they are: what is written to process.stdout is an event a line.

"use strict";

const { writeSync } = require("node:fs");
const { format, types } = require("node:util");

const PIPE = 4;
const RECORD = 1;
const PREFIX = 16;

// By importance.
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

const METHODS = {
  trace: "TRACE",
  debug: "DEBUG",
  log: "INFO",
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
  fatal: "FATAL",
};

let requestId;
let tenantId;
let isJson = false;
// Whose events are written, where a thread has several invocations at once; and what keeps a record
// together, where several threads write.
let invocation = () => ({ requestId, tenantId });
let alone = (write) => write();

function setRequestId(id, tenant) {
  requestId = id;
  tenantId = tenant;
}

function shareWith(others) {
  ({ invocation, alone } = others);
}

// Replaces the console's methods, for the format and the level that the variables ask for.
function patchConsole(environment = {}) {
  isJson = environment.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
  const least = LEVELS.indexOf(environment.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  for (const [name, level] of Object.entries(METHODS)) {
    console[name] = LEVELS.indexOf(level) < least ? () => {} : (...values) => write(level, values);
  }
}

// An error that ends the invocation or the runtime.
function logError(title, error, formatted) {
  const whole = asError(error);
  if (isJson) console.error(whole);
  else console.error(title, formatted(whole));
}

// Asking something for its text may throw.
function asError(error) {
  try {
    return types.isNativeError(error) || error instanceof Error ? error : new Error(String(error));
  } catch {
    return error;
  }
}

function write(level, values) {
  const now = new Date();
  const at = now.toISOString();
  const text = isJson
    ? json(at, level, values)
    : `${at}\t${invocation().requestId}\t${level}\t${format(...values)}`;
  record(now, Buffer.from(text));
}

// With the fields of AWS's runtime client.
function json(timestamp, level, [message, ...rest]) {
  const { requestId, tenantId } = invocation();
  const fields = { timestamp, level, requestId };
  if (tenantId) fields.tenantId = tenantId;
  if (rest.length === 0) {
    try {
      return JSON.stringify({ ...fields, message }, expandError);
    } catch {
      return JSON.stringify({ ...fields, message: format(message) });
    }
  }
  fields.message = format(message, ...rest);
  const error = rest.find((value) => value instanceof Error);
  if (error !== undefined) Object.assign(fields, describeError(error));
  return JSON.stringify(fields);
}

function expandError(_key, value) {
  return value instanceof Error ? { ...describeError(value), ...value } : value;
}

function describeError(error) {
  return {
    errorType: error.constructor?.name ?? "UnknownError",
    errorMessage: error.message,
    stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : [],
  };
}

function record(now, text) {
  const record = Buffer.allocUnsafe(PREFIX + text.length);
  record.writeUInt32LE(RECORD, 0);
  record.writeUInt32LE(text.length, 4);
  record.writeBigUInt64LE(BigInt(now.getTime()), 8);
  text.copy(record, PREFIX);
  alone(() => {
    for (let at = 0; at < record.length; ) at += writeSync(PIPE, record, at);
  });
}

module.exports = { setRequestId, shareWith, patchConsole, logError };
