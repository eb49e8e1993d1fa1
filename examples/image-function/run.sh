#!/bin/sh
# A container image is made without Docker, pushed to the registry, and called as a function.
# Needs cc, and Debian's packages umoci and skopeo.
. "$(dirname "$0")/../common.sh"

ensure_role
cc -Os -static -o "$work/hello" hello.c

# An image of one layer with one program.
[ "$(id -u)" = 0 ] || rootless=--rootless
umoci init --layout "$work/image"
umoci new --image "$work/image:v1"
umoci insert ${rootless-} --image "$work/image:v1" "$work/hello" /bin/hello
umoci config --image "$work/image:v1" --config.entrypoint /bin/hello --config.env GREETING=Hello

# The registry is where the APIs are.
registry=${AWS_ENDPOINT_URL#http://}
aws ecr create-repository --repository-name example/hello \
  --query repository.repositoryUri --output text
skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
  --dest-creds "AWS:$(aws ecr get-login-password)" \
  "oci:$work/image:v1" "docker://$registry/example/hello:v1"

aws lambda create-function --function-name example-image --package-type Image --role "$role" \
  --code "ImageUri=$registry/example/hello:v1" --query '[FunctionName, PackageType, State]' \
  --output text
aws lambda wait function-active-v2 --function-name example-image
call example-image '{}'
