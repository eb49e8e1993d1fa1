"""S3 where signatures are checked: what nobody may, what a bucket gives to all, and forms. Exits
non-zero on the first surprise."""

import json
import os
import urllib.error
import urllib.request
import uuid

import boto3

URL = os.environ["AWS_ENDPOINT_URL"]
s3 = boto3.client("s3")
region = s3.meta.region_name
s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": region})
s3.put_object(Bucket="shared", Key="k", Body=b"hello")


def fetch(path, **more):
    try:
        answer = urllib.request.urlopen(urllib.request.Request(URL + path, **more))
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read()


def post(fields, content):
    boundary = uuid.uuid4().hex
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    data = "".join([*lines, head]).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return fetch("/shared", data=data, headers=headers, method="POST")


for path in ["/shared/k", "/shared", "/"]:
    assert fetch(path)[0] == 403, path
assert fetch("/shared/k", method="PUT", data=b"mine")[0] == 403
policy = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::shared/*",
}]}
s3.put_bucket_policy(Bucket="shared", Policy=json.dumps(policy))
assert fetch("/shared/k") == (200, b"hello")
assert fetch("/shared/k", method="DELETE")[0] == 403
s3.put_bucket_website(
    Bucket="shared", WebsiteConfiguration={"IndexDocument": {"Suffix": "k"}}
)
assert fetch("/_aws/s3-website/shared/") == (200, b"hello")
policy["Statement"].append({
    "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::shared/private/*",
})
s3.put_bucket_policy(Bucket="shared", Policy=json.dumps(policy))
s3.put_object(Bucket="shared", Key="private/k", Body=b"x")
assert fetch("/shared/private/k")[0] == 403
assert fetch("/_aws/s3-website/shared/private/k")[0] == 403
try:
    s3.get_object(Bucket="shared", Key="private/k")
    raise SystemExit("a bucket's policy binds its owner too")
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
form = s3.generate_presigned_post("shared", "form", ExpiresIn=60)["fields"]
status, document = post(form, b"posted")
assert status == 204, document
assert s3.get_object(Bucket="shared", Key="form")["Body"].read() == b"posted"
forged = {**form, next(name for name in form if name.endswith("signature")): "0" * 64}
status, document = post(forged, b"forged")
assert status == 403 and b"SignatureDoesNotMatch" in document, document
status, document = post({"key": "form"}, b"unsigned")
assert status == 403 and b"AccessDenied" in document, document
assert s3.get_object(Bucket="shared", Key="form")["Body"].read() == b"posted"
iam = boto3.client("iam")
iam.create_user(UserName="ann")
key = iam.create_access_key(UserName="ann")["AccessKey"]
statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::theirs/*"}
iam.put_user_policy(
    UserName="ann", PolicyName="put",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
)
s3.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": region})
s3.create_bucket(Bucket="closed", CreateBucketConfiguration={"LocationConstraint": region})
s3.put_object(Bucket="closed", Key="k", Body=b"x")
ann = boto3.client(
    "s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
)
ann.put_object(Bucket="theirs", Key="k", Body=b"x")
ann.copy_object(Bucket="theirs", Key="copy", CopySource="shared/k")
for call, more in [
    (ann.copy_object, {"Key": "copy", "CopySource": "closed/k"}),
    (ann.put_object, {"Key": "k", "Tagging": "a=b"}),
    (ann.get_object, {"Key": "k"}),
]:
    try:
        call(Bucket="theirs", **more)
        raise SystemExit(f"{call} needs more permissions")
    except s3.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
print("enforced ok")
