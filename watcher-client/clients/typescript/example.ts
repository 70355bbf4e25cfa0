// Has a withdrawal signed by a Chancery appliance over mutual TLS, and checks what came back itself.
//
// It asks for one payment under one request id until there is an answer, which is safe however often it is run: the
// same id and content is the same request. See docs/clients.md.

import { createHash, createPublicKey, verify } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import createClient, { type Client } from "openapi-fetch";
import { Agent } from "undici";

import type { components, paths } from "./chancery.js";

type Schemas = components["schemas"];
type Appliance = Client<paths>;

const DESTINATION = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
// Half the order of the curve secp256k1 (SEC 2, 2.4.1).
const HALF_ORDER = 0x7fffffff_ffffffff_ffffffff_ffffffff_5d576e73_57a4501d_dfe92f46_681b20a0n;
// What comes before a compressed point of that curve in a SubjectPublicKeyInfo (RFC 5480).
const SPKI_HEAD = Buffer.from("3036301006072a8648ce3d020106052b8104000a032200", "hex");
const PATIENCE_MS = 120_000;

/** The appliance refused, and putting the same again at once would not help. */
class Refused extends Error {
  constructor(readonly problem: Schemas["Problem"]) {
    super(`${problem.type}: ${problem.detail} (retry: ${problem.retry})`);
  }
}

/** A client that speaks TLS 1.3 with this one CA's server, and shows its certificate. */
function connect(url: string, pki: string): Appliance {
  const read = (name: string) => readFileSync(join(pki, name));
  const dispatcher = new Agent({
    connect: {
      ca: read("ca.crt"), // no other CA is trusted
      cert: read("watcher.crt"),
      key: read("watcher.key"),
      minVersion: "TLSv1.3",
      rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
    },
  });
  return createClient<paths>({ baseUrl: url, requestInitExt: { dispatcher } });
}

/** Puts the same request until it is answered; the answer's bytes never change. */
async function put(client: Appliance, id: string, body: Schemas["SignatureRequest"]): Promise<string> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    let pause = 1_000;
    let said: string;
    try {
      const { data, error, response } = await client.PUT("/v1/signatures/{request_id}", {
        params: { path: { request_id: id } },
        body,
        parseAs: "text",
      });
      if (error !== undefined && error.retry !== "same") {
        throw new Refused(error);
      }
      if (data !== undefined && (JSON.parse(data) as Schemas["SignatureAnswer"]).status !== "accepted") {
        return data;
      }
      pause = retryAfterMs(response);
      said = error?.type ?? "accepted, and not signed yet";
    } catch (error) {
      // fetch reports every failure of the connection as a TypeError.
      if (!(error instanceof TypeError)) {
        throw error;
      }
      // Whether it was signed nobody knows here. The same id finds out, and never signs twice.
      said = String(error.cause ?? error);
    }
    console.log(`${said}: the same again in ${pause / 1_000} s`);
    if (Date.now() + pause > until) {
      throw new Error(`${id} has no answer yet: run this again with the same --id`);
    }
    await sleep(pause);
  }
}

/** How long the appliance wants to be left alone. */
function retryAfterMs(response: Response): number {
  return 1_000 * Number(response.headers.get("retry-after") ?? 1);
}

/** Checks r || s over a message's SHA-256 under the key as the appliance listed it, not as this answer names it. */
function check(key: Schemas["KeyAnswer"], message: Buffer, signature: Schemas["ItemSignature"]): void {
  if (signature.public_key !== key.public_key || signature.digest !== sha256(message)) {
    throw new Error("the answer is about another key or digest");
  }
  const raw = Buffer.from(signature.signature, "hex");
  if (BigInt(`0x${raw.subarray(32).toString("hex")}`) > HALF_ORDER) {
    throw new Error("s is not low");
  }
  const der = Buffer.concat([SPKI_HEAD, Buffer.from(key.public_key, "hex")]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  // Node hashes once by itself, so it is given what the digest is the SHA-256 of.
  if (!verify("sha256", message, { key: publicKey, dsaEncoding: "ieee-p1363" }, raw)) {
    throw new Error("the signature does not verify");
  }
}

/** The proof that the signature is in the audit log: there when a checkpoint covers it, about a second later. */
async function receipt(client: Appliance, id: string): Promise<Schemas["Receipt"]> {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    const { data, error } = await client.GET("/v1/signatures/{request_id}", { params: { path: { request_id: id } } });
    if (error !== undefined) {
      throw new Refused(error);
    }
    if (data.receipt !== undefined) {
      return data.receipt;
    }
    await sleep(500);
  }
  throw new Error("no checkpoint covers it: is the appliance's token there?");
}

/** A payment from a `declared` key: the digest to sign, and in words what it pays. */
function withdrawal(key: string, message: Buffer, amount: string): Schemas["SignatureRequest"] {
  return {
    items: [{ key, digest: sha256(message) }],
    transfer: { asset: "BTC", fee: "0.00001", outputs: [{ destination: DESTINATION, amount }] },
  };
}

function sha256(message: Buffer): string {
  return createHash("sha256").update(message).digest("hex");
}

const { values: asked } = parseArgs({
  options: {
    url: { type: "string", default: "https://127.0.0.1:8443" },
    pki: { type: "string", default: "var/quickstart/pki" },
    key: { type: "string", default: "btc-hot" },
    id: { type: "string", default: "example-typescript-1" },
    out: { type: "string" },
  },
});

const client = connect(asked.url, asked.pki);
const { data: listed, error } = await client.GET("/v1/keys");
if (error !== undefined) {
  throw new Refused(error);
}
for (const key of listed.keys) {
  console.log(`key ${key.name}: ${key.algorithm}, ${key.evidence}, ${key.state}, ${key.public_key}`);
}
const key = listed.keys.find((key) => key.name === asked.key);
if (key === undefined) {
  throw new Error(`no key ${asked.key} is granted`);
}

const message = Buffer.from(`the transaction of ${asked.id}`);
const body = withdrawal(key.name, message, "0.001");
const stored = await put(client, asked.id, body);
const answer = JSON.parse(stored) as Schemas["SignatureAnswer"];
const signature = answer.signatures?.[0];
if (answer.status !== "signed" || signature === undefined) {
  throw new Error(`${asked.id} is ${answer.status}`);
}
check(key, message, signature);
console.log(`${asked.id}: signed in entry ${answer.entry}, and the signature verifies`);
if ((await put(client, asked.id, body)) !== stored) {
  throw new Error("the same request was answered with other bytes");
}
console.log("the same request again gives the same bytes");

const proof = await receipt(client, asked.id);
console.log(`its receipt: entry ${proof.index} under checkpoint ${proof.checkpoint.split("\n")[1]}`);
try {
  await put(client, `${asked.id}-too-much`, withdrawal(key.name, message, "9"));
  throw new Error("a payment over every rule was not refused");
} catch (error) {
  if (!(error instanceof Refused)) {
    throw error;
  }
  console.log(`refused, as it must be: ${error.message}`);
}

if (asked.out !== undefined) {
  mkdirSync(asked.out, { recursive: true });
  writeFileSync(join(asked.out, "answer.json"), stored);
  writeFileSync(join(asked.out, "receipt.json"), JSON.stringify(proof));
}
