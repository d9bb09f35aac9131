// Carries out the orders that come as lines of JSON on standard input, one answer each: see src/clients/undici.rs.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { Pool } from "undici";

let pool;
let poolKey;

function poolFor({ origin, connections, depth }) {
  const key = `${origin} ${connections} ${depth}`;
  if (key !== poolKey) {
    pool?.destroy();
    pool = new Pool(origin, { connections, pipelining: depth });
    poolKey = key;
  }
  return pool;
}

async function exchange(client, request, streamed) {
  const { statusCode, body } = await client.request(request);
  if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  if (!streamed) return (await body.arrayBuffer()).byteLength;
  let octets = 0;
  for await (const chunk of body) octets += chunk.length;
  return octets;
}

async function carryOut(order) {
  const client = poolFor(order);
  const content = order.upload ? Buffer.alloc(order.upload, "u") : undefined;
  const request = { path: order.target, method: content ? "PUT" : "GET", body: content };
  let begun = 0;
  let octets = 0;
  const times = [];
  const worker = async () => {
    while (begun < order.exchanges) {
      begun += 1;
      const start = order.times ? process.hrtime.bigint() : 0n;
      const received = await exchange(client, request, order.streamed);
      octets += received;
      if (order.times) times.push(Number(process.hrtime.bigint() - start));
    }
  };
  await Promise.all(Array.from({ length: order.connections * order.depth }, worker));
  return { octets, times };
}

const { version } = createRequire(import.meta.url)("undici/package.json");
console.log(JSON.stringify({ version: `${version} on Node ${process.versions.node}` }));
for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await carryOut(JSON.parse(line))));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
