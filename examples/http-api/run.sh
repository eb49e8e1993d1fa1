#!/bin/sh
# A URL shortener: an HTTP API, a function behind it, and a table behind that.
. "$(dirname "$0")/../common.sh"

ensure_role
aws dynamodb create-table --table-name example-links \
  --attribute-definitions AttributeName=id,AttributeType=S \
  --key-schema AttributeName=id,KeyType=HASH --billing-mode PAY_PER_REQUEST \
  --query TableDescription.TableName --output text
aws dynamodb wait table-exists --table-name example-links
deploy example-shortener shortener.py shortener.handler
aws lambda update-function-configuration --function-name example-shortener \
  --environment 'Variables={TABLE=example-links}' --query FunctionName --output text
aws lambda wait function-updated-v2 --function-name example-shortener
function=$(aws lambda get-function-configuration --function-name example-shortener \
  --query FunctionArn --output text)

api=$(aws apigatewayv2 create-api --name example-shortener --protocol-type HTTP \
  --query ApiId --output text)
integration=$(aws apigatewayv2 create-integration --api-id "$api" \
  --integration-type AWS_PROXY --integration-uri "$function" --payload-format-version 2.0 \
  --query IntegrationId --output text)
for route in 'GET /' 'POST /links' 'GET /{id}'; do
  aws apigatewayv2 create-route --api-id "$api" --route-key "$route" \
    --target "integrations/$integration" --query RouteKey --output text
done
aws apigatewayv2 create-stage --api-id "$api" --stage-name '$default' --auto-deploy \
  --query StageName --output text
# API Gateway asks the function's policy, where policies count.
aws lambda add-permission --function-name example-shortener --statement-id http-api \
  --action lambda:InvokeFunction --principal apigateway.amazonaws.com \
  --source-arn "arn:aws:execute-api:${AWS_DEFAULT_REGION:-us-east-1}:$account:$api/*/*" \
  --query Statement --output text >/dev/null

# The path form needs no name to be resolved; the page is at the API's own host as well.
address="$AWS_ENDPOINT_URL/_aws/execute-api/$api/\$default"
link=$(python3 -c 'import sys, urllib.request
body = b"url=https%3A%2F%2Fexample.com%2Fa-long-way"
print(urllib.request.urlopen(sys.argv[1] + "/links", body).read().decode().strip())' "$address")
python3 -c 'import http.client, sys, urllib.parse
at = urllib.parse.urlparse(sys.argv[1])
connection = http.client.HTTPConnection(at.netloc)
connection.request("GET", at.path)
answer = connection.getresponse()
print(answer.status, answer.headers["Location"])' "$address/$link"
echo "open $(aws apigatewayv2 get-api --api-id "$api" --query ApiEndpoint --output text)/"
