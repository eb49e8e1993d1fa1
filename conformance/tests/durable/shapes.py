"""What AWS's published examples do with the Python SDK beyond the first steps, in our own words: one
durable function a case."""

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    WithRetryConfig,
    durable_execution,
    with_retry,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.exceptions import (
    CallbackError,
    ChildContextError,
    StepError,
)
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.serdes import SerDes

SECOND = Duration.from_seconds(1)


def never(error, attempt):
    return RetryDecision.no_retry()


def breaks(_: StepContext):
    raise ValueError("broken")


def nothing(event, context: DurableContext):
    """What is None is None after a replay, too."""
    first = context.step(lambda _: None, name="none")
    inner = context.run_in_child_context(lambda inner: None, name="none-inside")
    context.wait(SECOND, name="pause")
    return [first, inner, context.step(lambda _: "something", name="some")]


def blocks(event, context: DurableContext):
    def innermost(inner: DurableContext):
        inner.wait(SECOND, name="deep")
        return inner.step(lambda _: 3, name="three")

    def middle(inner: DurableContext):
        two = inner.step(lambda _: 2, name="two")
        return two + inner.run_in_child_context(innermost, name="innermost")

    one = context.step(lambda _: 1, name="one")
    return one + context.run_in_child_context(middle, name="middle")


def typed(event, context: DurableContext):
    """A failed step is caught, at the top and through a context, and caught again by the replay."""
    once = StepConfig(retry_strategy=never)
    seen = []
    try:
        context.step(breaks, name="bad", config=once)
    except StepError as error:
        seen.append([error.error_type, error.message])
    try:
        context.run_in_child_context(
            lambda inner: inner.step(breaks, name="bad-inside", config=once), name="child"
        )
    except ChildContextError as error:
        seen.append(error.message)
    context.wait(SECOND, name="pause")
    return seen


def flat(event, context: DurableContext):
    def each(inner: DurableContext, item, index, items):
        inner.wait(SECOND, name=f"wait-{index}")
        return inner.step(lambda _: item * 10, name=f"step-{index}")

    config = MapConfig(
        max_concurrency=2, nesting_type=NestingType.FLAT, item_namer=lambda item, index: f"item {item}"
    )
    return context.map([1, 2, 3, 4, 5], each, name="flat", config=config).get_results()


def some_fail(event, context: DurableContext):
    def each(inner: DurableContext, item, index, items):
        step = breaks if item in event["bad"] else lambda _: item
        return inner.step(step, name=f"step-{index}", config=StepConfig(retry_strategy=never))

    config = MapConfig(completion_config=CompletionConfig(**event["until"]), max_concurrency=1)
    done = context.map([0, 1, 2, 3], each, name="each", config=config)
    context.wait(SECOND, name="pause")
    return {
        "reason": done.completion_reason.value,
        "succeeded": done.success_count,
        "failed": done.failure_count,
        "results": done.get_results(),
    }


def branches(event, context: DurableContext):
    named = [
        ParallelBranch(lambda inner: inner.step(lambda _: "tea", name="drink"), name="kettle"),
        ParallelBranch(lambda inner: inner.step(lambda _: "cake", name="food"), name="oven"),
    ]
    return context.parallel(
        named, name="both", config=ParallelConfig(max_concurrency=1)
    ).get_results()


class Reversed(SerDes):
    def serialize(self, value, context):
        return value[::-1]

    def deserialize(self, data, context):
        return data[::-1]


def serialized(event, context: DurableContext):
    config = StepConfig(serdes=Reversed())
    word = context.step(lambda _: "desserts", name="word", config=config)
    context.wait(SECOND, name="pause")
    return word


def at_most_once(event, context: DurableContext):
    config = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return context.step(lambda _: "once", name="once", config=config)


def large_child(event, context: DurableContext):
    """More than a checkpoint holds: what is inside is run again, and its steps are not."""

    def child(inner: DurableContext):
        return "".join(inner.step(lambda _: "x" * 100_000, name=f"part-{n}") for n in range(5))

    text = context.run_in_child_context(child, name="large")
    context.wait(SECOND, name="pause")
    return len(text)


def many(event, context: DurableContext):
    total = 0
    for group in range(5):
        total += context.run_in_child_context(
            lambda inner: sum(inner.step(lambda _: 1, name=f"step-{n}") for n in range(20)),
            name=f"group-{group}",
        )
    return total


def callbacks(event, context: DurableContext):
    config = CallbackConfig(timeout=Duration.from_minutes(5))

    def branch(number):
        return lambda inner: inner.create_callback(name=f"callback-{number}", config=config).result()

    return context.parallel([branch(number) for number in range(3)], name="three").get_results()


def heartbeats(event, context: DurableContext):
    config = CallbackConfig(
        timeout=Duration.from_minutes(5), heartbeat_timeout=Duration.from_seconds(event["seconds"])
    )
    try:
        return context.create_callback(name="alive", config=config).result()
    except CallbackError as error:
        return type(error).__name__


def approved(event, context: DurableContext):
    """Inside of a context, after a step, before another: with a submitter that does something."""

    def child(inner: DurableContext):
        before = inner.step(lambda _: "asked", name="before")
        answer = inner.wait_for_callback(
            lambda callback_id, submit: print(before, callback_id), name="approval"
        )
        return [before, answer, inner.step(lambda _: "after", name="after")]

    try:
        return context.run_in_child_context(child, name="approve")
    except ChildContextError as error:
        return ["refused", error.message]


def submitter_fails(event, context: DurableContext):
    def submit(callback_id, submit_context):
        raise RuntimeError("nobody there")

    try:
        context.wait_for_callback(
            submit, name="approval", config=WaitForCallbackConfig(retry_strategy=never)
        )
    except CallbackError as error:
        return [type(error).__name__, error.message]


def asked_again(event, context: DurableContext):
    """A callback that is refused is asked for once more."""

    def attempt(inner: DurableContext, number):
        return inner.wait_for_callback(lambda callback_id, submit: None, name=f"attempt-{number}")

    def again(error, number):
        return RetryDecision.retry(SECOND) if number < 2 else RetryDecision.no_retry()

    return with_retry(context, attempt, config=WithRetryConfig(retry_strategy=again))


CASES = {
    case.__name__: case
    for case in [
        nothing, blocks, typed, flat, some_fail, branches, serialized, at_most_once, large_child,
        many, callbacks, heartbeats, approved, submitter_fails, asked_again,
    ]
}


@durable_execution
def handler(event, context: DurableContext):
    return CASES[event["case"]](event, context)
