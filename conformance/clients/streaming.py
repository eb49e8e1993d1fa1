"""Streamed responses through boto3. Exits non-zero on the first surprise."""

import base64
import io
import json
import zipfile

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/streaming"
lam, iam, s3 = (boto3.client(name) for name in ("lambda", "iam", "s3"))

STREAMS = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  console.log("streaming");
  stream.write("first");
  await new Promise((resolve) => setTimeout(resolve, 100));
  while (event.until && !(await fetch(`${process.env.AWS_ENDPOINT_URL}/${event.until}`)).ok) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (event.fail) throw new RangeError("middle");
  for (let n = 0; n < (event.mb ?? 0); n += 1) {
    if (!stream.write(Buffer.alloc(1 << 20, 120))) {
      await new Promise((resolve) => stream.once("drain", resolve));
    }
  }
  stream.write("last");
  stream.end();
});
"""
PLAIN = "exports.handler = async (event) => { if (event.fail) throw new Error('no'); return { got: event }; };"


def create(name, source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.js", source)
    lam.create_function(
        FunctionName=name, Runtime="nodejs20.x", Handler="index.handler", Role=ROLE,
        Code={"ZipFile": buffer.getvalue()}, Timeout=30, MemorySize=512,
    )
    lam.get_waiter("function_active_v2").wait(FunctionName=name)


def stream(name, event, after_first=lambda: None, **more):
    answer = lam.invoke_with_response_stream(
        FunctionName=name, Payload=json.dumps(event), **more)
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST", answer
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream", answer
    chunks, complete = [], None
    for event in answer["EventStream"]:
        assert complete is None, "nothing comes after the end"
        if "PayloadChunk" in event:
            if not chunks:
                after_first()
            chunks.append(event["PayloadChunk"]["Payload"])
        else:
            complete = event["InvokeComplete"]
    return chunks, complete


iam.create_role(RoleName="streaming", AssumeRolePolicyDocument=json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                   "Action": "sts:AssumeRole"}]}))
create("streams", STREAMS)
create("plain", PLAIN)

chunks, complete = stream("streams", {}, LogType="Tail")
assert chunks == [b"first", b"last"], chunks
tail = base64.b64decode(complete["LogResult"]).decode()
assert "streaming" in tail and "REPORT RequestId" in tail, tail
assert "ErrorCode" not in complete, complete
chunks, complete = stream("streams", {"mb": 30})
assert sum(map(len, chunks)) == 30 * (1 << 20) + len("firstlast") and complete == {}, complete
answer = lam.invoke(FunctionName="streams", Payload="{}")
assert answer["Payload"].read() == b"firstlast"
# The function waits for what its first chunk makes this program do.
s3.create_bucket(Bucket="streaming", CreateBucketConfiguration={
    "LocationConstraint": s3.meta.region_name})
chunks, complete = stream(
    "streams", {"until": "streaming/go"},
    after_first=lambda: s3.put_object(Bucket="streaming", Key="go", Body=b"go"))
assert chunks == [b"first", b"last"] and complete == {}, (chunks, complete)
print("chunks ok")

chunks, complete = stream("streams", {"fail": True})
assert chunks == [b"first"], chunks
assert complete["ErrorCode"] == "Unhandled", complete
assert json.loads(complete["ErrorDetails"])["errorMessage"] == "middle", complete
chunks, complete = stream("plain", {"fail": True})
assert chunks == [] and json.loads(complete["ErrorDetails"])["errorMessage"] == "no", complete
print("errors ok")

chunks, complete = stream("plain", {"n": 1})
assert chunks == [b'{"got":{"n":1}}'] and complete == {}, (chunks, complete)
dry = lam.invoke_with_response_stream(FunctionName="streams", InvocationType="DryRun")
assert dry["StatusCode"] == 204, dry
try:
    lam.invoke_with_response_stream(FunctionName="missing")
    raise AssertionError("a function that is not there was invoked")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
print("plain ok")
