"""What AWS requires of its durable execution SDKs, in our own words: one durable function a case, which
does what its event asks for."""

import os
import time

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    InvokeConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
)


def seconds(number):
    return Duration.from_seconds(number)


def retrying(attempts, factor=1):
    def decide(error, attempt):
        if attempt >= attempts:
            return RetryDecision.no_retry()
        return RetryDecision.retry(seconds(factor ** (attempt - 1)))

    return decide


def pause(event, context, key):
    if key in event:
        context.wait(seconds(event[key]), name=key)


def caught(event, action):
    if not event.get("catch"):
        return action()
    try:
        return action()
    except Exception as error:
        return f"caught {type(error).__name__}"


def steps(event, context: DurableContext):
    """A step that fails so many times of so many, and then perhaps a wait."""

    def step(step: StepContext):
        if step.attempt <= event["fails"]:
            raise ValueError(f"attempt {step.attempt}")
        return step.attempt

    strategy = retrying(event["attempts"], event.get("factor", 1))
    config = StepConfig(retry_strategy=strategy)
    result = caught(event, lambda: context.step(step, name="step", config=config))
    pause(event, context, "wait")
    return result


def exits(event, context: DurableContext):
    """The process ends amid a step that is begun once for each attempt."""

    def step(step: StepContext):
        if step.attempt == 1:
            os._exit(1)
        return step.attempt

    semantics = StepSemantics.AT_MOST_ONCE_PER_RETRY
    strategy = retrying(event["attempts"])
    config = StepConfig(step_semantics=semantics, retry_strategy=strategy)
    return context.step(step, name="step", config=config)


def exits_inside(event, context: DurableContext):
    """It ends amid a step that may be run twice, inside of a context."""
    arn = context.execution_context.durable_execution_arn

    def step(_: StepContext):
        history = boto3.client("lambda").get_durable_execution_history(DurableExecutionArn=arn)
        if all(event["EventType"] != "InvocationCompleted" for event in history["Events"]):
            # That both have begun is on its way by now.
            time.sleep(1)
            os._exit(1)
        return "done"

    return context.run_in_child_context(lambda inner: inner.step(step, name="step"), name="child")


def waits(event, context: DurableContext):
    for number in range(2):
        context.wait(seconds(1 + number), name=f"wait-{number}")
    return {"waits": 2}


def nested(event, context: DurableContext):
    def inner(inner: DurableContext):
        return inner.step(lambda _: "deep", name="deep")

    def outer(outer: DurableContext):
        outer.step(lambda _: "high", name="high")
        return outer.run_in_child_context(inner, name="inner")

    return context.run_in_child_context(outer, name="outer")


def callback(event, context: DurableContext):
    config = CallbackConfig(
        timeout=seconds(event.get("timeout", 300)),
        heartbeat_timeout=seconds(event.get("heartbeat", 0)),
    )
    callback = context.create_callback(name="answer", config=config)
    if event.get("step"):
        context.step(lambda _: "meanwhile", name="step")
    pause(event, context, "before")
    result = caught(event, callback.result)
    pause(event, context, "after")
    return result


def callbacks(event, context: DurableContext):
    """Two, one after the other or both at once, awaited in any order."""
    if event["order"] == "one by one":
        return [context.create_callback(name=name).result() for name in ["a", "b"]]
    begun = {name: context.create_callback(name=name) for name in ["a", "b"]}
    return [begun[name].result() for name in event["order"]]


def submitted(event, context: DurableContext):
    def submit(callback_id, _):
        if event.get("broken"):
            raise ValueError("nobody there")

    config = WaitForCallbackConfig(
        timeout=seconds(event.get("timeout", 300)),
        heartbeat_timeout=seconds(event.get("heartbeat", 0)),
        retry_strategy=retrying(2),
    )

    def wait(inner: DurableContext):
        return inner.wait_for_callback(submit, name="approval", config=config)

    if event.get("child"):
        return context.run_in_child_context(wait, name="wrapper")
    return caught(event, lambda: wait(context))


def invoked(event, context: DurableContext):
    config = InvokeConfig(tenant_id=event.get("tenant"))

    def invoke(inner: DurableContext):
        return inner.invoke(event["target"], event.get("payload"), name="call", config=config)

    if event.get("child"):
        return context.run_in_child_context(invoke, name="child")
    result = caught(event, lambda: invoke(context))
    pause(event, context, "wait")
    return result


def polled(event, context: DurableContext):
    def check(state, _):
        if state >= event.get("breaks", 9):
            raise ValueError("broken")
        return state + 1

    def decide(state, attempt):
        if state >= 3:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(seconds(1))

    config = WaitForConditionConfig(wait_strategy=decide, initial_state=0)
    return caught(event, lambda: context.wait_for_condition(check, config=config, name="poll"))


CASES = {
    case.__name__: case
    for case in [
        steps, exits, exits_inside, waits, nested, callback, callbacks, submitted, invoked, polled
    ]
}


@durable_execution
def handler(event, context: DurableContext):
    return CASES[event["case"]](event, context)
