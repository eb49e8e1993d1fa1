"""Works through a batch of queued tasks."""

import json
import time


def handler(event, context):
    records = event["Records"]
    for record in records:
        task = json.loads(record["body"])
        time.sleep(0.05)
        print(f"finished task {task['number']}")
    print(f"batch of {len(records)}")
    return {"batchItemFailures": []}
