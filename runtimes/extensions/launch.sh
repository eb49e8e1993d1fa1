#!/bin/sh
# Starts a function's extensions and its runtime, each on word of the server, and says how they end.
# crates/exec/src/extensions/launched.rs is the other side.
#
# Commands come on descriptor 5, a line each. On 6 go lines of a kind, a name and an exit status.
# What extensions print goes to 7. The runtime's command is this script's arguments.

# Waits for a child, whatever signals come in between; leaves its status in `status`.
await() {
  while :; do
    wait "$1"
    status=$?
    kill -0 "$1" 2>/dev/null || return 0
  done
}

extension() {
  (
    unset AWS_EXECUTION_ENV AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME
    unset AWS_XRAY_CONTEXT_MISSING AWS_XRAY_DAEMON_ADDRESS LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT
    unset _AWS_XRAY_DAEMON_ADDRESS _AWS_XRAY_DAEMON_PORT _HANDLER
    cd /
    "/opt/extensions/$1" >&7 2>&7 3<&- 4>&- 5<&- 6>&- 7>&- &
    await $!
    echo "extension $1 $status" >&6
  ) &
}

runtime() {
  (
    trap 'kill -TERM "$child" 2>/dev/null' TERM
    trap 'kill -KILL "$child" 2>/dev/null' USR1
    "$@" 5<&- 6>&- 7>&- &
    child=$!
    await "$child"
    echo "runtime - $status" >&6
  ) &
  runtime=$!
}

while IFS=' ' read -r command name <&5; do
  case $command in
    extension) extension "$name" ;;
    runtime) runtime "$@" ;;
    term) kill -TERM "$runtime" ;;
    kill) kill -USR1 "$runtime" ;;
  esac
done
