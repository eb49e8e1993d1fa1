#!/bin/sh
# The whole diagram: an object, an HTTP request, a message and a schedule start a function, which writes
# to a bucket and to a table.
. "$(dirname "$0")/../common.sh"

# What the function writes to.
ensure_role
aws s3 mb s3://example-results
aws dynamodb create-table --table-name example-results \
  --attribute-definitions AttributeName=source,AttributeType=S \
  --key-schema AttributeName=source,KeyType=HASH --billing-mode PAY_PER_REQUEST \
  --query TableDescription.TableName --output text
aws dynamodb wait table-exists --table-name example-results

deploy example-recorder recorder.py recorder.handler
aws lambda update-function-configuration --function-name example-recorder \
  --environment 'Variables={BUCKET=example-results,TABLE=example-results}' \
  --query FunctionName --output text
aws lambda wait function-updated-v2 --function-name example-recorder
function=$(aws lambda get-function-configuration --function-name example-recorder \
  --query FunctionArn --output text)

# The four arrows that lead to it.
echo "S3 ──▶ function"
aws s3 mb s3://example-inbox
aws s3api put-bucket-notification-configuration --bucket example-inbox \
  --notification-configuration "{\"LambdaFunctionConfigurations\": [
    {\"LambdaFunctionArn\": \"$function\", \"Events\": [\"s3:ObjectCreated:*\"]}
  ]}"
echo "a letter" >"$work/letter.txt"
aws s3 cp --no-progress "$work/letter.txt" s3://example-inbox/letter.txt

echo "HTTP ──▶ function"
api=$(aws apigatewayv2 create-api --name example-recorder --protocol-type HTTP \
  --target "$function" --query ApiId --output text)
aws lambda add-permission --function-name example-recorder --statement-id http-api \
  --action lambda:InvokeFunction --principal apigateway.amazonaws.com \
  --source-arn "arn:aws:execute-api:$AWS_DEFAULT_REGION:$account:$api/*/*" \
  --query Statement --output text >/dev/null
python3 -c 'import sys, urllib.request
request = urllib.request.Request(sys.argv[1], b"a question", {"Content-Type": "text/plain"})
print(urllib.request.urlopen(request).read().decode().strip())' \
  "$AWS_ENDPOINT_URL/_aws/execute-api/$api/\$default/"

echo "SQS ──▶ function"
queue=$(aws sqs create-queue --queue-name example-errands --query QueueUrl --output text)
queue_arn=$(aws sqs get-queue-attributes --queue-url "$queue" --attribute-names QueueArn \
  --query Attributes.QueueArn --output text)
aws lambda create-event-source-mapping --function-name example-recorder \
  --event-source-arn "$queue_arn" --query EventSourceArn --output text
aws sqs send-message --queue-url "$queue" --message-body "an errand" \
  --query MD5OfMessageBody --output text

echo "schedule ──▶ function"
aws scheduler create-schedule --name example-rounds --schedule-expression 'rate(1 hour)' \
  --flexible-time-window Mode=OFF \
  --target "{\"Arn\": \"$function\", \"RoleArn\": \"$role\", \"Input\": \"{\\\"task\\\": \\\"the rounds\\\"}\"}" \
  --query ScheduleArn --output text

# What arrived behind it.
for attempt in $(seq 1 60); do
  written=$(aws dynamodb scan --table-name example-results --select COUNT --query Count --output text)
  [ "$written" -lt 4 ] || break
  sleep 0.2
done
echo "function ──▶ DynamoDB"
aws dynamodb scan --table-name example-results \
  --query 'sort_by(Items, &source.S)[].[source.S, told.S, object.S]' --output text
echo "function ──▶ S3"
for object in $(aws s3api list-objects-v2 --bucket example-results \
  --query 'Contents[].Key' --output text); do
  aws s3 cp --quiet "s3://example-results/$object" -
  echo
done
