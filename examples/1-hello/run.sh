#!/bin/sh
# A function is created from a zip and called.
. "$(dirname "$0")/../common.sh"

ensure_role
deploy example-hello greeting.py greeting.handler
call example-hello '{"name": "Kagero"}'
