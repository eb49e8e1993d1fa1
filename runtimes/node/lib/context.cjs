// The context object that handlers receive.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html

"use strict";

const { hasCallbacks } = require("./model.cjs");

// What is the same for every invocation.
let fixed = {};

function configure(environment) {
  fixed = {
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
  };
}

function buildContext(header) {
  const deadline = header.deadline_ms;
  return {
    ...(hasCallbacks() && { callbackWaitsForEmptyEventLoop: true }),
    ...fixed,
    clientContext: parse(header.client_context),
    identity: parse(header.cognito_identity),
    invokedFunctionArn: header.arn,
    awsRequestId: header.id,
    tenantId: header.tenant_id,
    xRayTraceId: header.trace,
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
}

function parse(text) {
  return text === undefined ? undefined : JSON.parse(text);
}

module.exports = { configure, buildContext };
