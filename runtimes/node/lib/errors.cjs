// Errors as the caller of the function receives them, and as its log shows them.

"use strict";

const { types } = require("node:util");

const { hasCallbacks } = require("./model.cjs");

class RuntimeError extends Error {
  constructor(name, reason) {
    super(reason);
    // Not among what was attached to it, which the log shows.
    Object.defineProperty(this, "name", { value: `Runtime.${name}` });
  }
}

class ImportModuleError extends RuntimeError {
  constructor(reason) {
    super("ImportModuleError", reason);
  }
}

class HandlerNotFound extends RuntimeError {
  constructor(reason) {
    super("HandlerNotFound", reason);
  }
}

class MalformedHandlerName extends RuntimeError {
  constructor(reason) {
    super("MalformedHandlerName", reason);
  }
}

class UserCodeSyntaxError extends RuntimeError {
  constructor(reason) {
    super("UserCodeSyntaxError", reason);
  }
}

class CallbackHandlerDeprecated extends RuntimeError {
  constructor(reason) {
    super("CallbackHandlerDeprecated", reason);
  }
}

class JSONStringifyError extends RuntimeError {
  constructor(reason) {
    super("JSONStringifyError", reason);
  }
}

class UnhandledPromiseRejection extends RuntimeError {
  constructor(reason, promise) {
    super("UnhandledPromiseRejection", reason);
    this.reason = reason;
    this.promise = promise;
  }
}

// The error document. An error may be anything, and asking it for its parts may throw again.
function describe(error) {
  try {
    if (isError(error)) {
      return {
        errorType: String(error.name),
        errorMessage: String(error.message),
        trace: String(error.stack ?? "").split("\n"),
      };
    }
    // What is nothing has a text in the newer model alone, and cannot be asked in the older.
    const errorMessage = hasCallbacks() ? error.toString() : String(error);
    return { errorType: typeof error, errorMessage, trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
    };
  }
}

// Why a result cannot be told as JSON.
function unstringifiable() {
  const reason = "Unable to stringify response body";
  return hasCallbacks() ? new Error(reason) : new JSONStringifyError(reason);
}

// The error for the log, with everything that was attached to it.
function format(error) {
  try {
    return "\t" + JSON.stringify(error, (_key, value) => expand(value));
  } catch {
    return "\t" + JSON.stringify(describe(error));
  }
}

function expand(value) {
  if (!isError(value)) return value;
  const expanded = {
    errorType: value.name,
    errorMessage: value.message,
    code: value.code,
    ...value,
  };
  if (typeof value.stack === "string") expanded.stack = value.stack.split("\n");
  return expanded;
}

function isError(value) {
  if (types.isNativeError(value)) return true;
  return Boolean(value?.name) && Boolean(value?.message) && Boolean(value?.stack);
}

module.exports = {
  ImportModuleError,
  HandlerNotFound,
  MalformedHandlerName,
  UserCodeSyntaxError,
  CallbackHandlerDeprecated,
  UnhandledPromiseRejection,
  describe,
  unstringifiable,
  format,
};
