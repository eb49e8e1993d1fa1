"""Counts the calls that this environment has answered."""

import time

started = time.perf_counter()
# What a connection pool or a model might cost, once an environment.
time.sleep(0.25)
init_ms = (time.perf_counter() - started) * 1000
calls = 0


def handler(event, context):
    global calls
    calls += 1
    return {"call": calls, "cold": calls == 1, "init_ms": round(init_ms, 1)}
