"""One durable function a case, with AWS's durable execution SDK as it is."""

import os

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    durable_execution,
    durable_step,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    StepConfig,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import (
    RetryStrategyConfig,
    create_retry_strategy,
)
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
)


@durable_step
def add(context: StepContext, a, b):
    return a + b


def steps(event, context: DurableContext):
    first = context.step(add(event["a"], 1), name="first")
    context.wait(Duration.from_seconds(1), name="pause")
    return {"sum": context.step(add(first, 10), name="second")}


def retried(event, context: DurableContext):
    def flaky(step: StepContext):
        if step.attempt < 3:
            raise ValueError(f"attempt {step.attempt}")
        return step.attempt

    strategy = create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=4,
            initial_delay=Duration.from_seconds(1),
            max_delay=Duration.from_seconds(1),
        )
    )
    return context.step(flaky, name="flaky", config=StepConfig(retry_strategy=strategy))


def failed(event, context: DurableContext):
    raise RuntimeError("it cannot be done")


def nested(event, context: DurableContext):
    def child(inner: DurableContext):
        a = inner.step(add(1, 1), name="a")
        inner.wait(Duration.from_seconds(1), name="inside")
        return inner.step(add(a, 1), name="b")

    return context.run_in_child_context(child, name="child")


def parallel(event, context: DurableContext):
    def branch(number):
        def run(inner: DurableContext):
            inner.wait(Duration.from_seconds(1), name=f"wait-{number}")
            return inner.step(add(number, 100), name=f"step-{number}")

        return run

    found = context.parallel([branch(number) for number in range(3)], name="three")
    return found.get_results()


def mapped(event, context: DurableContext):
    def each(inner: DurableContext, item, index, items):
        return inner.step(add(item, index), name=f"item-{index}")

    return context.map(event["items"], each, name="each").get_results()


def polled(event, context: DurableContext):
    def decide(state, attempt):
        if state >= 3:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_seconds(1))

    return context.wait_for_condition(
        lambda state, check: state + 1,
        config=WaitForConditionConfig(wait_strategy=decide, initial_state=0),
        name="poll",
    )


def asked(event, context: DurableContext):
    callback = context.create_callback(
        name="answer", config=CallbackConfig(timeout=Duration.from_minutes(5))
    )
    return {"answer": callback.result()}


def submitted(event, context: DurableContext):
    return context.wait_for_callback(
        lambda callback_id, submit: print("submitted", callback_id),
        name="approval",
        config=WaitForCallbackConfig(timeout=Duration.from_seconds(event["seconds"])),
    )


def chained(event, context: DurableContext):
    own = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    durable = context.invoke(f"{own}:$LATEST", {"case": "mapped", "items": [5, 6]}, name="durable")
    plain = context.invoke("plain", {"said": "hello"}, name="plain")
    try:
        context.invoke("nobody", {}, name="nobody")
    except Exception as error:
        missing = type(error).__name__
    return {"durable": durable, "plain": plain, "missing": missing}


def large(event, context: DurableContext):
    parts = [context.step(lambda _: "x" * 200_000, name=f"part-{n}") for n in range(40)]
    context.wait(Duration.from_seconds(1), name="pause")
    return sum(len(part) for part in parts)


CASES = {
    case.__name__: case
    for case in [
        steps, retried, failed, nested, parallel, mapped, polled, asked, submitted, chained, large
    ]
}


@durable_execution
def handler(event, context: DurableContext):
    return CASES[event["case"]](event, context)
