// The Runtime API, as a client.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

"use strict";

const { Agent, request } = require("node:http");

const [host, port] = (process.env.AWS_LAMBDA_RUNTIME_API ?? "").split(":");
const BASE = "/2018-06-01/runtime/";

class Api {
  #agent = new Agent({ keepAlive: true });

  // Ends what is under way.
  close() {
    this.#agent.destroy();
  }

  // Waits for the next event: what is told of it, and its payload.
  async next() {
    const { headers, body } = await this.#call("GET", "invocation/next");
    const header = {
      id: headers["lambda-runtime-aws-request-id"],
      arn: headers["lambda-runtime-invoked-function-arn"],
      deadline_ms: Number.parseInt(headers["lambda-runtime-deadline-ms"], 10),
      trace: headers["lambda-runtime-trace-id"],
      client_context: headers["lambda-runtime-client-context"],
      cognito_identity: headers["lambda-runtime-cognito-identity"],
      tenant_id: headers["lambda-runtime-aws-tenant-id"],
    };
    return { header, payload: body };
  }

  // What the server says to an answer concerns nobody: it has told the caller.
  async post(path, text) {
    const body = Buffer.from(text);
    await this.#call("POST", path, { "Content-Length": body.length }, (call) => call.end(body));
  }

  // Answers piece by piece: gives the request to write to, and what resolves at its end.
  stream(id) {
    let call;
    const headers = {
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      "Transfer-Encoding": "chunked",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    };
    const ended = this.#call("POST", `invocation/${id}/response`, headers, (it) => (call = it));
    return { call, ended };
  }

  #call(method, path, headers = {}, send = (call) => call.end()) {
    return new Promise((resolve, reject) => {
      const options = { host, port, method, path: BASE + path, headers, agent: this.#agent };
      const call = request(options, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(pieces) }));
        answer.on("error", reject);
      });
      call.on("error", reject);
      send(call);
    });
  }
}

module.exports = { Api };
