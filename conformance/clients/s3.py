"""S3 through boto3: versions, locks, multipart uploads, checksums, configurations, encryption, forms,
websites and events. Exits non-zero on the first surprise."""

import base64
import datetime
import hashlib
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import boto3
from botocore.exceptions import ClientError

URL = os.environ["AWS_ENDPOINT_URL"]
s3, sqs = boto3.client("s3"), boto3.client("sqs")
region = s3.meta.region_name


def make(name, **more):
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}, **more
    )


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{call} should have failed with {code}")


def body(**arguments):
    return s3.get_object(**arguments)["Body"].read()


def fetch(url, **more):
    """Without any of boto3's help: the status, the headers and the body."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        answer = opener.open(urllib.request.Request(url, **more))
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def versions():
    make("versions")
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration=status)
    one, two = (
        s3.put_object(Bucket="versions", Key="k", Body=text)["VersionId"] for text in "12"
    )
    marker = s3.delete_object(Bucket="versions", Key="k")
    assert marker["DeleteMarker"]
    missing = fails("NoSuchKey", s3.get_object, Bucket="versions", Key="k")
    assert missing["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert body(Bucket="versions", Key="k", VersionId=one) == b"1"
    listed = s3.list_object_versions(Bucket="versions")
    assert [version["VersionId"] for version in listed["Versions"]] == [two, one]
    assert listed["DeleteMarkers"][0]["IsLatest"]
    s3.delete_object(Bucket="versions", Key="k", VersionId=marker["VersionId"])
    assert body(Bucket="versions", Key="k") == b"2"
    copied = s3.copy_object(
        Bucket="versions", Key="k",
        CopySource={"Bucket": "versions", "Key": "k", "VersionId": one},
    )
    assert copied["CopySourceVersionId"] == one
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket="versions", PaginationConfig={"PageSize": 1}
    )
    assert sum(len(page.get("Versions", [])) for page in pages) == 3
    boto3.resource("s3").Bucket("versions").object_versions.delete()
    s3.delete_bucket(Bucket="versions")


def locks():
    make("locks", ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    put = s3.put_object(
        Bucket="locks", Key="k", Body=b"x", ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=until,
    )
    version = {"Bucket": "locks", "Key": "k", "VersionId": put["VersionId"]}
    fails("AccessDenied", s3.delete_object, **version)
    assert s3.get_object_retention(**version)["Retention"]["Mode"] == "GOVERNANCE"
    s3.put_object_legal_hold(LegalHold={"Status": "ON"}, **version)
    fails("AccessDenied", s3.delete_object, BypassGovernanceRetention=True, **version)
    s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, **version)
    s3.delete_object(BypassGovernanceRetention=True, **version)


def parts():
    make("parts")
    size = 5 << 20
    for algorithm, kind in [
        # The others want a library of AWS's; the CLI has it.
        ("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    ]:
        upload = s3.create_multipart_upload(
            Bucket="parts", Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind
        )["UploadId"]
        named, made = {"Bucket": "parts", "Key": "k", "UploadId": upload}, []
        for number, content in [(1, b"a" * size), (2, b"tail")]:
            part = s3.upload_part(
                PartNumber=number, Body=content, ChecksumAlgorithm=algorithm, **named
            )
            field = f"Checksum{algorithm}"
            made.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
        assert len(s3.list_parts(**named)["Parts"]) == 2
        done = s3.complete_multipart_upload(MultipartUpload={"Parts": made}, **named)
        assert done["ChecksumType"] == kind, done
        head = s3.head_object(Bucket="parts", Key="k", ChecksumMode="ENABLED")
        assert head[f"Checksum{algorithm}"] == done[f"Checksum{algorithm}"]
        attributes = s3.get_object_attributes(
            Bucket="parts", Key="k", ObjectAttributes=["ObjectParts", "Checksum", "ObjectSize"]
        )
        assert attributes["ObjectSize"] == size + 4
        assert attributes["ObjectParts"]["TotalPartsCount"] == 2
        second = s3.get_object(Bucket="parts", Key="k", PartNumber=2)
        assert (second["PartsCount"], second["Body"].read()) == (2, b"tail")
    upload = s3.create_multipart_upload(Bucket="parts", Key="copy")["UploadId"]
    named = {"Bucket": "parts", "Key": "copy", "UploadId": upload}
    part = s3.upload_part_copy(
        PartNumber=1, CopySource="parts/k", CopySourceRange=f"bytes={size}-{size + 3}", **named
    )
    fails(
        "InvalidPartOrder", s3.complete_multipart_upload,
        MultipartUpload={"Parts": [
            {"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]} for number in (2, 1)
        ]}, **named,
    )
    s3.complete_multipart_upload(
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]},
        **named,
    )
    assert body(Bucket="parts", Key="copy") == b"tail"


def conditions():
    make("conditions")
    etag = s3.put_object(Bucket="conditions", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    named = {"Bucket": "conditions", "Key": "k"}
    fails("PreconditionFailed", s3.put_object, Body=b"2", IfNoneMatch="*", **named)
    fails("PreconditionFailed", s3.put_object, Body=b"2", IfMatch='"0"', **named)
    s3.put_object(Body=b"2", IfMatch=etag, **named)
    fails("PreconditionFailed", s3.delete_object, IfMatch=etag, **named)
    fails("InvalidRange", s3.get_object, Range="bytes=9-", **named)
    fails("KeyTooLongError", s3.put_object, Bucket="conditions", Key="k" * 1025, Body=b"")
    many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    fails("MalformedXML", s3.delete_objects, Bucket="conditions", Delete=many)
    for key in ["../../etc/passwd", "a\x01b", "犬/🐶", "a//b", " ", "a+b%2F"]:
        s3.put_object(Bucket="conditions", Key=key, Body=key.encode())
        assert body(Bucket="conditions", Key=key) == key.encode()
    listed = s3.list_objects_v2(Bucket="conditions", FetchOwner=True, StartAfter=" ")
    assert "犬/🐶" in [entry["Key"] for entry in listed["Contents"]]
    assert "Owner" in listed["Contents"][0]


def configurations():
    make("configured")
    named = {"Bucket": "configured"}
    fails("NoSuchCORSConfiguration", s3.get_bucket_cors, **named)
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://app.example"]}]
    s3.put_bucket_cors(CORSConfiguration={"CORSRules": rules}, **named)
    assert s3.get_bucket_cors(**named)["CORSRules"][0]["AllowedMethods"] == ["GET"]
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    status, headers, _ = fetch(f"{URL}/configured/k", method="OPTIONS", headers=preflight)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
    preflight["Access-Control-Request-Method"] = "PUT"
    status, _, document = fetch(f"{URL}/configured/k", method="OPTIONS", headers=preflight)
    assert status == 403 and b"AccessForbidden" in document, document
    s3.put_object(Key="k", Body=b"x", **named)
    status, headers, _ = fetch(f"{URL}/configured/k", headers={"Origin": "https://app.example"})
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
    status, _, _ = fetch(f"{URL}/configured/k", headers={"Origin": "https://evil.example"})
    assert status == 403
    rule = {
        "ID": "r", "Status": "Enabled", "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 3}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
        "Transitions": [],
    }
    rule.pop("Transitions")
    s3.put_bucket_lifecycle_configuration(LifecycleConfiguration={"Rules": [rule]}, **named)
    assert s3.get_bucket_lifecycle_configuration(**named)["Rules"] == [rule]
    assert 'rule-id="r"' in s3.put_object(Key="logs/x", Body=b"", **named)["Expiration"]
    s3.put_bucket_ownership_controls(
        OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, **named
    )
    s3.put_object_acl(Key="k", ACL="public-read", **named)
    grants = s3.get_object_acl(Key="k", **named)["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL", "READ"]
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::configured/*",
    }]}
    s3.put_bucket_policy(Policy=json.dumps(policy), **named)
    assert s3.get_bucket_policy_status(**named)["PolicyStatus"]["IsPublic"]
    s3.put_bucket_metrics_configuration(Id="m", MetricsConfiguration={"Id": "m"}, **named)
    metrics = s3.list_bucket_metrics_configurations(**named)["MetricsConfigurationList"]
    assert metrics == [{"Id": "m"}]
    fails("NoSuchConfiguration", s3.get_bucket_metrics_configuration, Id="n", **named)


def encryption():
    make("encrypted")
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    s3.put_object(Bucket="encrypted", Key="k", Body=b"secret", **key)
    assert body(Bucket="encrypted", Key="k", **key) == b"secret"
    fails("InvalidRequest", s3.get_object, Bucket="encrypted", Key="k")
    other = {**key, "SSECustomerKey": os.urandom(32)}
    fails("AccessDenied", s3.get_object, Bucket="encrypted", Key="k", **other)
    put = s3.put_object(
        Bucket="encrypted", Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="1"
    )
    assert put["SSEKMSKeyId"].endswith(":key/1")


def forms():
    make("forms")
    form = s3.generate_presigned_post(
        "forms", "up/${filename}", Fields={"success_action_status": "201"},
        Conditions=[{"success_action_status": "201"}, ["content-length-range", 1, 100]],
        ExpiresIn=60,
    )
    # Whatever the policy says is the bucket's or the key's, the address is ours.
    url = f"{URL}/forms"
    status, _, document = post(url, form["fields"], b"hello")
    assert status == 201 and b"<Key>up/a.txt</Key>" in document, document
    assert body(Bucket="forms", Key="up/a.txt") == b"hello"
    status, _, document = post(url, form["fields"], b"x" * 101)
    assert status == 400 and b"EntityTooLarge" in document, document
    status, _, document = post(url, {**form["fields"], "key": "elsewhere"}, b"x")
    assert status == 403 and b"Policy Condition failed" in document, document
    late = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "forms", "Key": "up/a.txt"}, ExpiresIn=1
    )
    assert fetch(late)[2] == b"hello"
    time.sleep(2.1)
    status, _, document = fetch(late)
    assert status == 403 and b"Request has expired" in document, document


def post(url, fields, content):
    boundary = uuid.uuid4().hex
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    data = "".join([*lines, head]).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return fetch(url, data=data, headers=headers, method="POST")


def websites():
    make("site")
    s3.put_bucket_website(Bucket="site", WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "lost.html"},
    })
    for key in ["index.html", "docs/index.html", "lost.html"]:
        s3.put_object(Bucket="site", Key=key, Body=key.encode(), ContentType="text/html")
    host = {"Host": f"site.s3-website.{region}.localhost:{urllib.parse.urlparse(URL).port}"}
    for path, status, text in [
        ("/", 200, b"index.html"), ("/docs/", 200, b"docs/index.html"), ("/none", 404, b"lost.html"),
    ]:
        for url, headers in [(URL + path, host), (f"{URL}/_aws/s3-website/site{path}", {})]:
            assert fetch(url, headers=headers)[::2] == (status, text), (url, headers)
    status, headers, _ = fetch(URL + "/docs", headers=host)
    assert (status, headers["Location"]) == (302, "/docs/")


def events():
    make("events")
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = f"arn:aws:sqs:{region}:000000000000:events"
    s3.put_bucket_versioning(Bucket="events", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_ownership_controls(
        Bucket="events", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    s3.put_bucket_notification_configuration(
        Bucket="events",
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": [
            "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put",
        ]}]},
    )
    put = s3.put_object(Bucket="events", Key="k", Body=b"x")
    s3.put_object_tagging(
        Bucket="events", Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    )
    s3.put_object_acl(Bucket="events", Key="k", ACL="public-read")
    s3.delete_object(Bucket="events", Key="k")
    s3.delete_object(Bucket="events", Key="k", VersionId=put["VersionId"])
    expected = {
        "ObjectCreated:Put", "ObjectTagging:Put", "ObjectAcl:Put",
        "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete",
    }
    seen = {}
    for _ in range(120):
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            for record in json.loads(message["Body"]).get("Records", []):
                seen[record["eventName"]] = record["s3"]["object"]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if expected <= seen.keys():
            break
    assert seen.keys() == expected, seen
    assert seen["ObjectCreated:Put"]["versionId"] == put["VersionId"]
    assert seen["ObjectRemoved:Delete"]["versionId"] == put["VersionId"]


digest = base64.b64encode(hashlib.md5(b"x").digest()).decode()
make("digests")
fails("BadDigest", s3.put_object, Bucket="digests", Key="k", Body=b"y", ContentMD5=digest)
for run in [
    versions, locks, parts, conditions, configurations, encryption, forms, websites, events,
]:
    run()
    print(f"{run.__name__} ok")
