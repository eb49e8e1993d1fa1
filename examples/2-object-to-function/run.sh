#!/bin/sh
# An upload to a bucket starts a function: nothing waits, nothing polls.
. "$(dirname "$0")/../common.sh"

ensure_role
deploy example-new-object new_object.py new_object.handler
aws s3 mb s3://example-uploads
aws s3api put-bucket-notification-configuration --bucket example-uploads \
  --notification-configuration "{
    \"LambdaFunctionConfigurations\": [{
      \"LambdaFunctionArn\": \"arn:aws:lambda:$AWS_DEFAULT_REGION:$account:function:example-new-object\",
      \"Events\": [\"s3:ObjectCreated:*\"],
      \"Filter\": {\"Key\": {\"FilterRules\": [{\"Name\": \"suffix\", \"Value\": \".txt\"}]}}
    }]
  }"
echo "a day in the heat haze" >"$work/note.txt"
aws s3 cp --no-progress "$work/note.txt" s3://example-uploads/notes/note.txt
until_logged /aws/lambda/example-new-object "new object" 1
