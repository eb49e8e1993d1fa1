// The protocol with the server: frames of kind, header and payload over an inherited socket.
// crates/exec/src/frames.rs describes it.

"use strict";

const { Socket } = require("node:net");

const Kind = Object.freeze({
  booted: 1,
  specialise: 2,
  ready: 3,
  initError: 4,
  invoke: 5,
  response: 6,
  error: 7,
  rehearse: 10,
  piece: 14,
});

const SOCKET = 3;
const PREFIX = 12;
const EMPTY = Buffer.alloc(0);

class Frames {
  #socket;
  #chunks = [];
  #size = 0;
  #waiting = null;

  constructor() {
    this.#socket = new Socket({ fd: SOCKET, readable: true, writable: true });
    this.#socket.on("data", (chunk) => this.#take(chunk));
    // The server is gone, and with it whatever this process is for.
    this.#socket.on("close", () => process.exit(0));
    this.#socket.on("error", () => process.exit(0));
  }

  // Calls back, if asked to, when the frame is out of this process.
  send(kind, header, payload = EMPTY, sent = undefined) {
    const text = header === undefined ? EMPTY : Buffer.from(JSON.stringify(header));
    const prefix = Buffer.allocUnsafe(PREFIX);
    prefix.writeUInt32LE(kind, 0);
    prefix.writeUInt32LE(text.length, 4);
    prefix.writeUInt32LE(payload.length, 8);
    this.#socket.write(Buffer.concat([prefix, text, payload]), sent);
  }

  // The next frame. Only one may be waited for at a time.
  receive() {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
  }

  // Calls back when all that was sent is out of this process.
  flushed(callback) {
    if (this.#socket.writableLength === 0) callback();
    else this.#socket.once("drain", callback);
  }

  ref() {
    this.#socket.ref();
  }

  unref() {
    this.#socket.unref();
  }

  #take(chunk) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.#deliver();
  }

  #deliver() {
    if (this.#waiting === null || this.#size < PREFIX) return;
    const prefix = this.#joined(PREFIX);
    const headerLength = prefix.readUInt32LE(4);
    const payloadAt = PREFIX + headerLength;
    const end = payloadAt + prefix.readUInt32LE(8);
    if (this.#size < end) return;
    const frame = this.#joined(end);
    this.#chunks[0] = frame.subarray(end);
    this.#size -= end;
    const deliver = this.#waiting;
    this.#waiting = null;
    const header = headerLength === 0 ? {} : JSON.parse(frame.toString("utf8", PREFIX, payloadAt));
    deliver({ kind: frame.readUInt32LE(0), header, payload: frame.subarray(payloadAt, end) });
  }

  // The first chunk, made long enough.
  #joined(length) {
    if (this.#chunks[0].length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }
}

module.exports = { Kind, Frames };
