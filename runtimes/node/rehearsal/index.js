// A function like many: what is loaded and run before there is any.

"use strict";

exports.handler = async (event, context) => {
  context.getRemainingTimeInMillis();
  return { statusCode: 200, body: JSON.stringify(event), id: context.awsRequestId };
};
