// One durable function a case, with AWS's durable execution SDK as it is.
const { withDurableExecution } = require("@aws/durable-execution-sdk-js");

const cases = {
  async steps(event, context) {
    const first = await context.step("first", async () => event.a + 1);
    await context.wait("pause", { seconds: 1 });
    return { sum: await context.step("second", async () => first + 10) };
  },
  async retried(event, context) {
    let attempt = 0;
    return context.step(
      "flaky",
      async () => {
        attempt += 1;
        throw new Error("never");
      },
      {
        retryStrategy: (error, attempts) =>
          attempts < 2 ? { shouldRetry: true, delay: { seconds: 1 } } : { shouldRetry: false },
      },
    );
  },
  async parallel(event, context) {
    const found = await context.parallel("three", [
      async (inner) => inner.step("a", async () => 1),
      async (inner) => {
        await inner.wait("w", { seconds: 1 });
        return inner.step("b", async () => 2);
      },
    ]);
    return found.getResults();
  },
  async asked(event, context) {
    return context.waitForCallback("answer", async (callbackId) => console.log(callbackId), {
      timeout: { minutes: 5 },
    });
  },
};

exports.handler = withDurableExecution(async (event, context) => cases[event.case](event, context));
