#!/bin/sh
# The first call starts an environment; the next two find it waiting.
. "$(dirname "$0")/../common.sh"

ensure_role
deploy example-counter counter.py counter.handler
for call in 1 2 3; do
  call example-counter '{}'
done
