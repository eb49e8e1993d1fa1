#!/bin/sh
# An order begins: it is charged, and waits for a human. Takes the zip of a layer with AWS's durable
# execution SDK for Python.
. "$(dirname "$0")/../common.sh"

ensure_role
layer=$(aws lambda publish-layer-version --layer-name durable-sdk --zip-file "fileb://$1" \
  --query LayerVersionArn --output text)
python3 -m zipfile -c "$work/order.zip" order.py
aws lambda create-function --function-name durable-order --runtime python3.13 \
  --handler order.handler --role "$role" --zip-file "fileb://$work/order.zip" --layers "$layer" \
  --timeout 30 --memory-size 256 \
  --durable-config '{"ExecutionTimeout": 2678400, "RetentionPeriodInDays": 7}' \
  --query '[FunctionName, DurableConfig.ExecutionTimeout]' --output text
aws lambda wait function-active-v2 --function-name durable-order
aws lambda invoke --function-name 'durable-order:$LATEST' --invocation-type Event \
  --durable-execution-name "order-7" --payload '{"id": "order-7"}' \
  --cli-binary-format raw-in-base64-out "$work/answer.json" --query DurableExecutionArn --output text
