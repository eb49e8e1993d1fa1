// JWT authorizers of HTTP APIs, with an issuer of our own. Fails on the first surprise.

import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

const endpoint = process.env.AWS_ENDPOINT_URL;
const keys = { good: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  other: generateKeyPairSync("rsa", { modulusLength: 2048 }) };
let asked = 0;

const server = createServer((request, response) => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const documents = {
    "/.well-known/openid-configuration": { issuer, jwks_uri: `${issuer}/keys` },
    "/keys": { keys: [{ ...keys.good.publicKey.export({ format: "jwk" }), kid: "k", use: "sig" }] },
  };
  asked += request.url === "/keys";
  response.end(JSON.stringify(documents[request.url] ?? { sub: request.headers["x-sub"] }));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

async function api(method, path, body) {
  const response = await fetch(`${endpoint}/v2${path}`, {
    method, body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

function token(claims = {}, { key = "good", kid = "k", alg = "RS256" } = {}) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, aud: "shop", sub: "me", exp: now + 600, iat: now, scope: "read", ...claims };
  const signed = `${encode({ alg, kid })}.${encode(all)}`;
  const signature = createSign("RSA-SHA256").update(signed).sign(keys[key].privateKey, "base64url");
  return `${signed}.${signature}`;
}

const { apiId } = await api("POST", "/apis", { name: "jwt", protocolType: "HTTP" });
const { authorizerId } = await api("POST", `/apis/${apiId}/authorizers`, {
  name: "tokens", authorizerType: "JWT", identitySource: ["$request.header.Authorization"],
  jwtConfiguration: { issuer, audience: ["shop"] } });
const { integrationId } = await api("POST", `/apis/${apiId}/integrations`, {
  integrationType: "HTTP_PROXY", integrationMethod: "GET", integrationUri: issuer,
  payloadFormatVersion: "1.0",
  requestParameters: { "overwrite:header.x-sub": "$context.authorizer.claims.sub" } });
for (const [routeKey, authorizationScopes] of [["GET /any"], ["GET /write", ["write"]]]) {
  await api("POST", `/apis/${apiId}/routes`, {
    routeKey, target: `integrations/${integrationId}`, authorizationType: "JWT", authorizerId,
    authorizationScopes });
}
await api("POST", `/apis/${apiId}/stages`, { stageName: "$default", autoDeploy: true });

async function call(path, given) {
  const headers = given === undefined ? {} : { authorization: given };
  const response = await fetch(`${endpoint}/_aws/execute-api/${apiId}/$default${path}`, { headers });
  return [response.status, await response.json(), response.headers.get("www-authenticate")];
}

const [status, body] = await call("/any", `Bearer ${token()}`);
assert.deepEqual([status, body], [200, { sub: "me" }]);
assert.equal((await call("/any", token({ aud: ["x", "shop"] })))[0], 200);
assert.equal((await call("/any", token({ aud: undefined, client_id: "shop" })))[0], 200);
const [, , challenge] = await call("/any");
assert.equal(challenge, "Bearer");
const now = Math.floor(Date.now() / 1000);
for (const [given, why] of [
  [undefined, ""], ["Bearer nonsense", "malformed"],
  [token({ exp: now - 1 }), "expired"], [token({ nbf: now + 600 }), "not valid yet"],
  [token({ iss: "https://other.example" }), "iss claim"], [token({ aud: "other" }), "aud"],
  [token({}, { key: "other" }), "signature"], [token({}, { kid: "none" }), "kid"],
  [token({}, { alg: "none" }), "signing method"], [token({}, { alg: "HS256" }), "signing method"],
]) {
  const [status, body, challenge] = await call("/any", given);
  assert.deepEqual([status, body], [401, { message: "Unauthorized" }], why);
  assert.ok(challenge.includes(why), `${challenge} says ${why}`);
}
const [denied, words, scopes] = await call("/write", token());
assert.deepEqual([denied, words], [403, { message: "Forbidden" }]);
assert.ok(scopes.includes("insufficient_scope"), scopes);
assert.equal((await call("/write", token({ scope: "write other" })))[0], 200);
assert.equal((await call("/write", token({ scope: undefined, scp: ["write"] })))[0], 200);
assert.equal(asked, 1, "keys are kept");
server.close();
server.closeAllConnections();
console.log("jwt ok");
