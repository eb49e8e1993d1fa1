// What belongs to the invocation under way, for the SDK and for functions: `awslambda.InvokeStore`.
// Where a thread has several invocations at once, no variable of the process can say whose trace it is.
// https://github.com/awslabs/aws-lambda-invoke-store

"use strict";

const KEYS = {
  REQUEST_ID: Symbol.for("_AWS_LAMBDA_REQUEST_ID"),
  X_RAY_TRACE_ID: Symbol.for("_AWS_LAMBDA_X_RAY_TRACE_ID"),
  TENANT_ID: Symbol.for("_AWS_LAMBDA_TENANT_ID"),
  TRACEPARENT: Symbol.for("_AWS_LAMBDA_TRACEPARENT"),
  TRACESTATE: Symbol.for("_AWS_LAMBDA_TRACESTATE"),
  BAGGAGE: Symbol.for("_AWS_LAMBDA_BAGGAGE"),
};
const PROTECTED = new Set(Object.values(KEYS));

// For one invocation after another. An init may set something, too, which the first one replaces.
class Current {
  #store;

  getStore() {
    return this.#store;
  }

  open() {
    return (this.#store = {});
  }

  run(store, what) {
    this.#store = store;
    return what();
  }
}

class InvokeStore {
  #scope;

  // Of one invocation after another, or of an AsyncLocalStorage.
  constructor(scope = new Current()) {
    this.#scope = scope;
  }

  // What is told of an invocation, to be there for all that this does and waits for.
  enter(header, what) {
    const context = {
      [KEYS.REQUEST_ID]: header.id,
      [KEYS.X_RAY_TRACE_ID]: header.trace,
      [KEYS.TENANT_ID]: header.tenant_id,
    };
    return this.#scope.run(context, what);
  }

  run(context, what) {
    return this.#scope.run(context, what);
  }

  getContext() {
    return this.#scope.getStore();
  }

  hasContext() {
    return this.getContext() !== undefined;
  }

  get(key) {
    return this.getContext()?.[key];
  }

  set(key, value) {
    if (this.isProtectedKey(key)) {
      throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    }
    const context = this.getContext() ?? this.#scope.open?.();
    if (context === undefined) throw new Error("No context available");
    context[key] = value;
  }

  isProtectedKey(key) {
    return PROTECTED.has(key);
  }

  getRequestId() {
    return this.get(KEYS.REQUEST_ID) ?? "-";
  }

  getXRayTraceId() {
    return this.get(KEYS.X_RAY_TRACE_ID);
  }

  getTenantId() {
    return this.get(KEYS.TENANT_ID);
  }

  getTraceparent() {
    return this.get(KEYS.TRACEPARENT);
  }

  getTracestate() {
    return this.get(KEYS.TRACESTATE);
  }

  getBaggage() {
    return this.get(KEYS.BAGGAGE);
  }
}

module.exports = { InvokeStore };
