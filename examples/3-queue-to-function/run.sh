#!/bin/sh
# Ten messages reach a function in batches of at most five.
. "$(dirname "$0")/../common.sh"

ensure_role
queue=$(aws sqs create-queue --queue-name example-tasks --query QueueUrl --output text)
queue_arn=$(aws sqs get-queue-attributes --queue-url "$queue" --attribute-names QueueArn \
  --query Attributes.QueueArn --output text)
deploy example-tasks tasks.py tasks.handler
aws lambda create-event-source-mapping --function-name example-tasks \
  --event-source-arn "$queue_arn" --batch-size 5 \
  --function-response-types ReportBatchItemFailures \
  --query '[EventSourceArn, BatchSize]' --output text

entries() {
  seq "$1" "$2" | while read -r n; do
    printf '%s{"Id":"%s","MessageBody":"{\\"number\\": %s}"}' "$comma" "$n" "$n"
    comma=,
  done
}
comma=
aws sqs send-message-batch --queue-url "$queue" --entries "[$(entries 1 10)]" \
  --query 'length(Successful)' --output text
until_logged /aws/lambda/example-tasks "finished task" 10
until_logged /aws/lambda/example-tasks "batch of" 2
