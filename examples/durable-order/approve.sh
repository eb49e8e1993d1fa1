#!/bin/sh
# A human approves the order, and it is shipped.
. "$(dirname "$0")/../common.sh"

execution=$(aws lambda list-durable-executions-by-function --function-name durable-order \
  --durable-execution-name order-7 --query 'DurableExecutions[0].DurableExecutionArn' --output text)
callback=$(aws lambda get-durable-execution-history --durable-execution-arn "$execution" \
  --query 'Events[?EventType==`CallbackStarted`].CallbackStartedDetails.CallbackId' --output text)
printf Kim >"$work/answer"
aws lambda send-durable-execution-callback-success --callback-id "$callback" \
  --result "fileb://$work/answer"
for attempt in $(seq 1 100); do
  status=$(aws lambda get-durable-execution --durable-execution-arn "$execution" \
    --query Status --output text)
  [ "$status" = RUNNING ] || break
  sleep 0.2
done
aws lambda get-durable-execution --durable-execution-arn "$execution" --query '[Status, Result]' \
  --output text
