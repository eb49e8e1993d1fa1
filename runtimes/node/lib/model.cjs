// Which of Lambda's two programming models the function has: since nodejs24.x, and wherever an
// environment has several events at once, handlers return what they answer and nobody is called back.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
//
// The function's runtime decides, not the Node.js that runs it: that may be only the nearest one that
// the host has, and `process.version` would give a function of nodejs24.x another model on each host.

"use strict";

const SINCE = 24;

let callbacks = true;
// Why a handler that takes a callback is refused.
let refusal;

function choose(environment, { isShared = false } = {}) {
  const [, number] = /^AWS_Lambda_nodejs(\d+)\./.exec(environment.AWS_EXECUTION_ENV) ?? [];
  const isNew = Number(number) >= SINCE;
  callbacks = !isNew && !isShared;
  refusal = isNew
    ? "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html."
    : "ERROR: AWS Lambda does not support callback-based function handlers when using Node.js 22 with Managed Instances. To use Managed Instances, modify this function to use a supported handler signature. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";
}

const hasCallbacks = () => callbacks;
const whyRefused = () => refusal;

module.exports = { choose, hasCallbacks, whyRefused };
