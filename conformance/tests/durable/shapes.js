// What AWS's published examples do with the JavaScript SDK beyond the first steps, in our own words:
// one durable function a case.
const { withDurableExecution } = require("@aws/durable-execution-sdk-js");

const second = { seconds: 1 };
const once = { retryStrategy: () => ({ shouldRetry: false }) };
const breaks = async () => {
  throw new TypeError("broken");
};
const caught = async (promise) => {
  try {
    return await promise;
  } catch (error) {
    return [error.constructor.name, error.message];
  }
};

const cases = {
  async nothing(event, context) {
    const first = await context.step("none", async () => undefined);
    await context.wait("pause", second);
    return [first === undefined, await context.step("some", async () => "something")];
  },
  async blocks(event, context) {
    return context.runInChildContext("outer", async (outer) => {
      const one = await outer.step("one", async () => 1);
      const rest = await outer.runInChildContext("inner", async (inner) => {
        await inner.wait("deep", second);
        return inner.step("two", async () => 2);
      });
      return one + rest;
    });
  },
  async typed(event, context) {
    const top = await caught(context.step("bad", breaks, once));
    const inside = await caught(
      context.runInChildContext("child", (inner) => inner.step("bad-inside", breaks, once)),
    );
    await context.wait("pause", second);
    return [top[0], inside[0]];
  },
  async mapped(event, context) {
    const each = async (inner, item, index) => {
      await inner.wait(`wait-${index}`, second);
      return inner.step(`step-${index}`, async () => item * 10);
    };
    const config = { maxConcurrency: 2, nesting: event.nesting, itemNamer: (item) => `item ${item}` };
    return (await context.map("each", [1, 2, 3, 4, 5], each, config)).getResults();
  },
  async someFail(event, context) {
    const each = (inner, item, index) =>
      inner.step(`step-${index}`, event.bad.includes(item) ? breaks : async () => item, once);
    const config = { maxConcurrency: 1, completionConfig: event.until };
    const done = await context.map("each", [0, 1, 2, 3], each, config);
    await context.wait("pause", second);
    return {
      reason: done.completionReason,
      succeeded: done.successCount,
      failed: done.failureCount,
      results: done.getResults(),
    };
  },
  async branches(event, context) {
    const branch = (name, result) => ({
      name,
      func: (inner) => inner.step(`in-${name}`, async () => result),
    });
    return (
      await context.parallel("both", [branch("kettle", "tea"), branch("oven", "cake")])
    ).getResults();
  },
  async polled(event, context) {
    return context.waitForCondition("poll", async (state) => state + 1, {
      initialState: 0,
      waitStrategy: (state) =>
        state >= 3 ? { shouldContinue: false } : { shouldContinue: true, delay: second },
    });
  },
  async promises(event, context) {
    const good = (name, result) => context.step(name, async () => result);
    const bad = (name) => context.step(name, breaks, once);
    const all = await context.promise.all("all", [good("a", 1), good("b", 2)]);
    const settled = await context.promise.allSettled("settled", [good("c", 3), bad("d")]);
    const any = await context.promise.any("any", [bad("e"), good("f", 4)]);
    const race = await context.promise.race("race", [good("g", 5), context.wait("late", { minutes: 9 })]);
    await context.wait("pause", second);
    return [all, settled.map((it) => it.status), any, race];
  },
  async together(event, context) {
    // Begun at once, and awaited later.
    const waits = [1, 2, 1].map((seconds, index) => context.wait(`wait-${index}`, { seconds }));
    const step = context.step("step", async () => "meanwhile");
    await Promise.all(waits);
    return step;
  },
  async chained(event, context) {
    const plain = await context.invoke("plain", "plain", { said: "hello" });
    const missing = await caught(context.invoke("nobody", "nobody", {}));
    return [plain, missing[0]];
  },
  async serialized(event, context) {
    const turned = (text) => [...text].reverse().join("");
    const serdes = {
      serialize: async (value) => value && turned(value),
      deserialize: async (data) => data && turned(data),
    };
    const word = await context.step("word", async () => "desserts", { serdes });
    await context.wait("pause", second);
    return word;
  },
  async largeChild(event, context) {
    const text = await context.runInChildContext("large", async (inner) => {
      let text = "";
      for (let part = 0; part < 5; part += 1) {
        text += await inner.step(`part-${part}`, async () => "x".repeat(100_000));
      }
      return text;
    });
    await context.wait("pause", second);
    return text.length;
  },
  async callbacks(event, context) {
    const promises = [];
    for (let number = 0; number < 3; number += 1) {
      const [promise] = await context.createCallback(`callback-${number}`, {
        timeout: { minutes: 5 },
      });
      promises.push(promise);
    }
    return Promise.all(promises);
  },
  async approved(event, context) {
    const submit = async (callbackId) => console.log(callbackId);
    return caught(context.waitForCallback("approval", submit, { timeout: { minutes: 5 } }));
  },
  async heartbeats(event, context) {
    const [promise] = await context.createCallback("alive", {
      timeout: { minutes: 5 },
      heartbeatTimeout: { seconds: event.seconds },
    });
    return caught(promise);
  },
  async submitterFails(event, context) {
    return caught(context.waitForCallback("approval", breaks, once));
  },
};

exports.handler = withDurableExecution(async (event, context) => cases[event.case](event, context));
