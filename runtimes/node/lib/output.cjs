// The console, as Lambda has it: each call is one log event, with time, request and level.
//
// It goes to the server as records (crates/exec/src/logs/records.rs). Descriptors 1 and 2 stay
// what they are: what is written to process.stdout is an event a line.

"use strict";

const { writeSync } = require("node:fs");
const { format } = require("node:util");

const PIPE = 4;
const RECORD = 1;
const PREFIX = 16;

const LEVELS = {
  trace: "TRACE",
  debug: "DEBUG",
  log: "INFO",
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
  fatal: "FATAL",
};

let requestId;

function setRequestId(id) {
  requestId = id;
}

function patchConsole() {
  for (const [name, level] of Object.entries(LEVELS)) {
    console[name] = (...values) => write(level, format(...values));
  }
}

function write(level, message) {
  const now = new Date();
  const text = Buffer.from(`${now.toISOString()}\t${requestId}\t${level}\t${message}`);
  const record = Buffer.allocUnsafe(PREFIX + text.length);
  record.writeUInt32LE(RECORD, 0);
  record.writeUInt32LE(text.length, 4);
  record.writeBigUInt64LE(BigInt(now.getTime()), 8);
  text.copy(record, PREFIX);
  for (let at = 0; at < record.length; ) at += writeSync(PIPE, record, at);
}

module.exports = { setRequestId, patchConsole };
