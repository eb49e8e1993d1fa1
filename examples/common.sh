# Sourced by every run.sh: the role they share, and how code becomes a function.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
account=000000000000
role="arn:aws:iam::$account:role/example-role"

# The role that the functions run as. A second example finds it made.
ensure_role() {
  aws iam get-role --role-name example-role >"$work/role.json" 2>/dev/null ||
    aws iam create-role --role-name example-role --assume-role-policy-document '{
      "Version": "2012-10-17",
      "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole"
      }]
    }' >"$work/role.json"
}

# deploy NAME FILE HANDLER: zips one file and makes a function of it.
deploy() {
  python3 -m zipfile -c "$work/$1.zip" "$2"
  aws lambda create-function --function-name "$1" --runtime python3.12 \
    --handler "$3" --role "$role" --zip-file "fileb://$work/$1.zip" \
    --timeout 30 --memory-size 128 \
    --query '[FunctionName, Runtime, State]' --output text
  aws lambda wait function-active-v2 --function-name "$1"
}

# call NAME EVENT: invokes and prints the answer.
call() {
  aws lambda invoke --function-name "$1" --payload "$2" \
    --cli-binary-format raw-in-base64-out "$work/answer.json" \
    --query StatusCode --output text >/dev/null
  cat "$work/answer.json"
  echo
}

# until_logged GROUP TEXT COUNT: waits until so many log events have the text; prints them.
until_logged() {
  for attempt in $(seq 1 30); do
    aws logs filter-log-events --log-group-name "$1" --filter-pattern "\"$2\"" \
      --query 'events[].message' --output json >"$work/found.json" 2>/dev/null || true
    if [ "$(grep -c "$2" "$work/found.json")" -ge "$3" ]; then
      python3 -c 'import json, sys
for message in json.load(open(sys.argv[1])): print("  " + message.strip())' "$work/found.json"
      return 0
    fi
    sleep 0.2
  done
  echo "no log line says $2 in $1" >&2
  return 1
}
