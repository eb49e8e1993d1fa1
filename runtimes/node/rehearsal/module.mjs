// The same as an ES module, whose loader is dear to use for the first time.

export const handler = async (event, context) => ({ event, id: context.awsRequestId });
