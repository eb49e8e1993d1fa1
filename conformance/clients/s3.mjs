// S3 through the AWS SDK for JavaScript: streams, versions, conditions and configurations.

import assert from "node:assert/strict";
import {
  S3Client, CreateBucketCommand, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand,
  ListObjectVersionsCommand, PutBucketLifecycleConfigurationCommand, PutBucketVersioningCommand,
  PutObjectCommand, GetBucketLifecycleConfigurationCommand, CreateMultipartUploadCommand,
  UploadPartCommand, CompleteMultipartUploadCommand,
} from "@aws-sdk/client-s3";

const s3 = new S3Client({ forcePathStyle: true });
const Bucket = "js-bucket";
const text = async (input) => (await s3.send(new GetObjectCommand(input))).Body.transformToString();

await s3.send(new CreateBucketCommand({ Bucket }));
await s3.send(
  new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
);
const one = await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "one" }));
const two = await s3.send(
  new PutObjectCommand({ Bucket, Key: "k", Body: "two", ChecksumAlgorithm: "SHA256" }),
);
assert.equal(await text({ Bucket, Key: "k", VersionId: one.VersionId }), "one");
assert.ok(two.ChecksumSHA256);
const gone = await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
assert.equal(gone.DeleteMarker, true);
await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "k" })), { name: "NoSuchKey" });
const listed = await s3.send(new ListObjectVersionsCommand({ Bucket }));
assert.equal(listed.Versions.length, 2);
assert.equal(listed.DeleteMarkers[0].IsLatest, true);
await assert.rejects(
  s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", IfMatch: '"0"' })),
  { name: "NoSuchKey" },
);
console.log("versions ok");

const part = Buffer.alloc(5 << 20, 7);
const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "large" }));
const Parts = [];
for (const [PartNumber, Body] of [[1, part], [2, Buffer.from("tail")]]) {
  const input = { Bucket, Key: "large", UploadId, PartNumber, Body };
  const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand(input));
  Parts.push({ PartNumber, ETag, ChecksumCRC32 });
}
await s3.send(
  new CompleteMultipartUploadCommand({ Bucket, Key: "large", UploadId, MultipartUpload: { Parts } }),
);
const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "large", PartNumber: 2 }));
assert.equal(head.PartsCount, 2);
assert.equal(await text({ Bucket, Key: "large", Range: "bytes=-4" }), "tail");
console.log("parts ok");

const Rules = [{ ID: "r", Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } }];
await s3.send(
  new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }),
);
const kept = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
assert.equal(kept.Rules[0].Expiration.Days, 1);
console.log("configurations ok");
