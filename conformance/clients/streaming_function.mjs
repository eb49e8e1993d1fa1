// The function that streaming.mjs deploys: a greeting in pieces.

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("hello ");
  await new Promise((resolve) => setImmediate(resolve));
  stream.write(event.name);
  stream.end();
});
