"""An order: charged once, shipped when a human has approved it, however long that takes."""

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution, durable_step
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig


@durable_step
def charge(step: StepContext, order):
    print("charged", order["id"])
    return {"receipt": f"receipt-{order['id']}"}


@durable_step
def ship(step: StepContext, order, receipt):
    print("shipped", order["id"])
    return f"{order['id']} paid by {receipt}"


@durable_execution
def handler(order, context: DurableContext):
    paid = context.step(charge(order), name="charge")
    approved_by = context.wait_for_callback(
        lambda callback_id, submit: print("approve with", callback_id),
        name="approval",
        config=WaitForCallbackConfig(timeout=Duration.from_days(30)),
    )
    context.wait(Duration.from_seconds(1), name="cooling off")
    shipped = context.step(ship(order, paid["receipt"]), name="ship")
    return {"shipped": shipped, "approved_by": approved_by}
