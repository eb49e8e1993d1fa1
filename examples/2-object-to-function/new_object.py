"""Says which objects arrived in the bucket."""


def handler(event, context):
    for record in event["Records"]:
        thing = record["s3"]
        name, size = thing["object"]["key"], thing["object"]["size"]
        print(f"new object {name} of {size} bytes in {thing['bucket']['name']}")
    return {"seen": len(event["Records"])}
