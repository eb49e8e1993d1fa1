// DynamoDB through the document client of the AWS SDK for JavaScript: plain objects in and out,
// pages, transactions, statements and a stream. Exits non-zero on the first surprise.
// Run from a folder that has the SDK.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/package.json");
const { DynamoDBClient, CreateTableCommand, DeleteTableCommand, DescribeTableCommand,
  waitUntilTableExists, waitUntilTableNotExists } = require("@aws-sdk/client-dynamodb");
const { DynamoDBStreamsClient, DescribeStreamCommand, GetShardIteratorCommand,
  GetRecordsCommand } = require("@aws-sdk/client-dynamodb-streams");
const { DynamoDBDocumentClient, BatchGetCommand, BatchWriteCommand, DeleteCommand,
  ExecuteStatementCommand, GetCommand, PutCommand, QueryCommand, TransactGetCommand,
  TransactWriteCommand, UpdateCommand, paginateQuery, paginateScan,
} = require("@aws-sdk/lib-dynamodb");

const client = new DynamoDBClient({});
const documents = DynamoDBDocumentClient.from(client, {
  marshallOptions: { removeUndefinedValues: true },
});
const TableName = "documents";

await client.send(new CreateTableCommand({
  TableName, BillingMode: "PAY_PER_REQUEST",
  KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }, { AttributeName: "sk", KeyType: "RANGE" }],
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" }, { AttributeName: "sk", AttributeType: "N" },
  ],
  StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
}));
await waitUntilTableExists({ client, maxWaitTime: 30 }, { TableName });
console.log("table ok");

const document = {
  pk: "a", sk: 0, text: "日本", truth: true, nothing: null, number: 1.5, empty: "",
  bytes: new Uint8Array([1, 2, 3]), list: [1, "two", { three: [3] }], set: new Set(["x", "y"]),
  map: { deep: { deeper: -7 } },
};
await documents.send(new PutCommand({ TableName, Item: { ...document, gone: undefined } }));
const { Item } = await documents.send(new GetCommand({ TableName, Key: { pk: "a", sk: 0 } }));
assert.deepEqual({ ...Item, bytes: new Uint8Array(Item.bytes) }, document);
console.log("documents ok");

const puts = Array.from({ length: 25 }, (_, sk) => ({
  PutRequest: { Item: { pk: "b", sk, odd: sk % 2 === 1 } },
}));
const written = await documents.send(new BatchWriteCommand({ RequestItems: { [TableName]: puts } }));
assert.deepEqual(written.UnprocessedItems, {});
const keys = [{ pk: "b", sk: 3 }, { pk: "b", sk: 99 }, { pk: "b", sk: 4 }];
const got = await documents.send(new BatchGetCommand({ RequestItems: { [TableName]: { Keys: keys } } }));
assert.deepEqual(got.Responses[TableName].map((item) => item.sk).sort(), [3, 4]);
const query = {
  TableName, KeyConditionExpression: "pk = :pk AND sk BETWEEN :low AND :high",
  FilterExpression: "odd = :odd", ScanIndexForward: false, Limit: 4,
  ExpressionAttributeValues: { ":pk": "b", ":low": 3, ":high": 20, ":odd": true },
};
const found = [];
let pages = 0;
for await (const page of paginateQuery({ client: documents, pageSize: 4 }, query)) {
  found.push(...page.Items.map((item) => item.sk));
  pages += 1;
}
assert.deepEqual(found, [19, 17, 15, 13, 11, 9, 7, 5, 3]);
assert.ok(pages >= 5, `${pages} pages`);
let scanned = 0;
for await (const page of paginateScan({ client: documents, pageSize: 7 }, { TableName })) {
  scanned += page.Count;
}
assert.equal(scanned, 26);
console.log("pages ok");

const updated = await documents.send(new UpdateCommand({
  TableName, Key: { pk: "a", sk: 0 }, ReturnValues: "UPDATED_NEW",
  UpdateExpression: "SET #l = list_append(#l, :more), #m.deep.deeper = #m.deep.deeper - :one ADD #s :z",
  ExpressionAttributeNames: { "#l": "list", "#m": "map", "#s": "set" },
  ExpressionAttributeValues: { ":more": [4], ":one": 1, ":z": new Set(["z"]) },
}));
assert.deepEqual(updated.Attributes, {
  list: [1, "two", { three: [3] }, 4], map: { deep: { deeper: -8 } }, set: new Set(["x", "y", "z"]),
});
const refused = await documents.send(new DeleteCommand({
  TableName, Key: { pk: "a", sk: 0 }, ConditionExpression: "attribute_not_exists(pk)",
  ReturnValuesOnConditionCheckFailure: "ALL_OLD",
})).catch((error) => error);
assert.equal(refused.name, "ConditionalCheckFailedException");
assert.deepEqual(refused.Item.number, { N: "1.5" });
console.log("updates ok");

const move = (low, high) => documents.send(new TransactWriteCommand({
  TransactItems: [
    { Put: { TableName, Item: { pk: "c", sk: high } } },
    { ConditionCheck: {
      TableName, Key: { pk: "b", sk: low }, ConditionExpression: "odd = :odd",
      ExpressionAttributeValues: { ":odd": true },
    } },
  ],
}));
const cancelled = await move(2, 1).catch((error) => error);
assert.equal(cancelled.name, "TransactionCanceledException");
assert.deepEqual(cancelled.CancellationReasons.map((reason) => reason.Code),
  ["None", "ConditionalCheckFailed"]);
await move(3, 1);
const both = await documents.send(new TransactGetCommand({
  TransactItems: [1, 2].map((sk) => ({ Get: { TableName, Key: { pk: "c", sk } } })),
}));
assert.deepEqual(both.Responses.map((response) => response.Item), [{ pk: "c", sk: 1 }, undefined]);
const selected = await documents.send(new ExecuteStatementCommand({
  Statement: `SELECT sk FROM "${TableName}" WHERE pk = ? AND sk < ?`, Parameters: ["b", 2],
}));
assert.deepEqual(selected.Items, [{ sk: 0 }, { sk: 1 }]);
console.log("transactions ok");

const { Table } = await client.send(new DescribeTableCommand({ TableName }));
const streams = new DynamoDBStreamsClient({});
const StreamArn = Table.LatestStreamArn;
const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
const { ShardIterator } = await streams.send(new GetShardIteratorCommand({
  StreamArn, ShardId: StreamDescription.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON",
}));
const { Records } = await streams.send(new GetRecordsCommand({ ShardIterator }));
assert.deepEqual(Records.map((record) => record.eventName),
  ["INSERT", ...Array(25).fill("INSERT"), "MODIFY", "INSERT"]);
console.log("streams ok");

await client.send(new DeleteTableCommand({ TableName }));
await waitUntilTableNotExists({ client, maxWaitTime: 30 }, { TableName });
const missing = await documents.send(new QueryCommand(query)).catch((error) => error);
assert.equal(missing.name, "ResourceNotFoundException");
console.log("end ok");
