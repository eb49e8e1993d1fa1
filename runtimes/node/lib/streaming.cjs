// Responses in pieces: what functions find in the global `awslambda`, and the stream they write to.
// https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html

"use strict";

const { Writable } = require("node:stream");

// How Lambda's runtime marks a handler that streams its response.
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
// The most that goes to the server at once.
const PIECE = 256 << 10;
// Between the prelude and the body of an HTTP response.
const DELIMITER = Buffer.alloc(8);

class ResponseStream extends Writable {
  #send;
  #prelude = null;

  // `send` takes a piece and calls back when there is room for the next.
  constructor(send, highWaterMark) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
    this.#send = send;
  }

  // Who invokes through the API learns nothing of it.
  setContentType(type) {
    this.contentType = type;
  }

  // Status, headers and cookies, to go ahead of the first byte.
  lead(prelude) {
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), DELIMITER]);
  }

  // What is neither text nor bytes goes out as JSON.
  write(chunk, ...rest) {
    const plain = typeof chunk === "string" || chunk instanceof Uint8Array;
    return super.write(plain || chunk === null ? chunk : JSON.stringify(chunk), ...rest);
  }

  _write(chunk, _encoding, callback) {
    const body = this.#prelude === null ? chunk : Buffer.concat([this.#prelude, chunk]);
    this.#prelude = null;
    const next = (at) => {
      const end = at + PIECE;
      this.#send(body.subarray(at, end), end < body.length ? () => next(end) : callback);
    };
    next(0);
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (options?.highWaterMark !== undefined) {
      handler[HIGH_WATER_MARK] = Number.parseInt(options.highWaterMark, 10);
    }
    return handler;
  },
  HttpResponseStream: class HttpResponseStream {
    static from(stream, prelude) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      stream.lead(prelude);
      return stream;
    }
  },
};

const streams = (handler) => handler[STREAMING] !== undefined;

// The stream for a handler's response.
const responseStream = (handler, send) => new ResponseStream(send, handler[HIGH_WATER_MARK]);

// What such a handler returns goes nowhere, which its author may not know.
function warnOfResult(result) {
  if (result !== undefined) console.warn("Streaming handlers ignore return values.");
}

module.exports = { streams, responseStream, warnOfResult };
