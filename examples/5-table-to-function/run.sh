#!/bin/sh
# A function writes to a table, and the table's stream starts another.
. "$(dirname "$0")/../common.sh"

ensure_role
stream=$(aws dynamodb create-table --table-name example-orders \
  --attribute-definitions AttributeName=id,AttributeType=S \
  --key-schema AttributeName=id,KeyType=HASH --billing-mode PAY_PER_REQUEST \
  --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES \
  --query TableDescription.LatestStreamArn --output text)
aws dynamodb wait table-exists --table-name example-orders
deploy example-order-writer orders.py orders.write
deploy example-order-reactor orders.py orders.react
aws lambda create-event-source-mapping --function-name example-order-reactor \
  --event-source-arn "$stream" --starting-position TRIM_HORIZON --batch-size 10 \
  --query '[StartingPosition, BatchSize]' --output text

call example-order-writer '{"table": "example-orders", "orders": 3}'
until_logged /aws/lambda/example-order-reactor "came to" 3
aws dynamodb delete-item --table-name example-orders --key '{"id": {"S": "order-2"}}'
until_logged /aws/lambda/example-order-reactor "was cancelled" 1
