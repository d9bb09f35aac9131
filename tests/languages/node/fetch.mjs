// Sandpiper as a library in Node: gets targets of one server, all of them through each of the connections:
//     jco transpile sandpiper.wasm -o sandpiper
//     node fetch.mjs [--streaming | --pooled] sandpiper/sandpiper.js HOST PORT TARGET...    prints a line of JSON for each target
// By https, from sandpiper-tls-admin.wasm, with a line for its handshake behind those of a connection:
//     node fetch.mjs --tls [--roots FILE] sandpiper-tls-admin/sandpiper.js HOST PORT TARGET...
//
// A call into the component blocks its thread while it waits, so the component runs in a worker.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const CONTENT_MAX = 1n << 20n; // u64 is a BigInt

const OPTIONS = {
  streaming: { type: 'boolean' },
  pooled: { type: 'boolean' }, // by a pool, which gives the heads in lists and in one piece by turns; tells their fields too
  connections: { type: 'string', default: '1' },
  tls: { type: 'boolean' },
  roots: { type: 'string' }, // trust anchors, PEM; without, the built-in ones
  'server-name': { type: 'string' },
  'any-certificate': { type: 'boolean' },
  'allow-any-certificate': { type: 'boolean' }, // as the host, for which it is
};

const endpoint = ({ host, port, tls, roots, 'server-name': serverName, 'any-certificate': acceptAnyCertificate }) => ({
  host,
  port,
  addresses: [],
  tls: tls && { serverName, rootsPem: roots && readFileSync(roots), acceptAnyCertificate },
});

const get = (target) => ({
  method: 'GET',
  requestTarget: target,
  fields: [['Accept', new TextEncoder().encode('*/*')]],
  content: { tag: 'none' },
});

const page = ({ status }, content) => ({ status, content: Buffer.from(content).toString('base64') });
const nameOf = ({ tag, val }) => (val ? `${tag}(${val})` : tag);
const failed = ({ error, delivery }) => ({ error: nameOf(error), delivery });

// A failure is a value in a list of results, and thrown, as an error's payload, by a call that fails.
function attempt(call) {
  try {
    return call();
  } catch (error) {
    if (!error.payload) throw error;
    return failed(error.payload);
  }
}

function collect(send) {
  const { head, content } = send.collect(CONTENT_MAX);
  return page(head, content);
}

// Takes what has come of the content, as far as it goes, and returns what comes behind it. One read for each event would be twice the work.
function take(send, parts) {
  for (;;) {
    const chunk = send.read(CONTENT_MAX);
    if (chunk.tag !== 'data') return chunk;
    parts.push(chunk.val);
  }
}

function stream(send, poll) {
  const parts = [];
  let head;
  for (;;) {
    for (const { tag, val } of poll.wait(undefined, 16)) {
      if (tag !== 'exchange') continue;
      if (val.ready.head || val.ready.failed) head = send.head(); // throws the failure
      const behind = val.ready.readable ? take(send, parts) : {};
      if (behind.tag === 'end') return page(head, Buffer.concat(parts));
    }
  }
}

function fetchThrough(conn, { streaming, targets }, Poll) {
  if (!streaming) {
    const sent = conn.sendAll(targets.map(get), 0n);
    return sent.map(({ tag, val }) => (tag === 'ok' ? attempt(() => collect(val)) : failed(val)));
  }
  const poll = new Poll();
  poll.insert(conn, 1n);
  return targets.map((target) => attempt(() => stream(conn.send(get(target), 2n), poll)));
}

const text = (octets) => Buffer.from(octets).toString('latin1');

function lines({ octets, places }) {
  const part = (at) => text(octets.subarray(places[at], places[at + 1]));
  const rows = Array.from({ length: places.length / 4 - 1 }, (_, line) => 4 * (line + 1));
  return { reason: part(2), fields: rows.map((row) => [part(row), part(row + 2)]) };
}

const lists = ({ reason, fields }) => ({ reason: text(reason), fields: fields.map(([name, value]) => [name, text(value)]) });

function fetchPooled({ client, packed }, options) {
  const poll = new client.Poll();
  poll.fetchAll(client.Origin.create(endpoint(options)), options.targets.map(get), 0n, CONTENT_MAX);
  const outcomes = [];
  const take = (told) => ({ token, outcome: { tag, val } }) => {
    outcomes[token] = tag === 'ok' ? { ...page(val.head, val.content), ...told(val.head) } : failed(val);
  };
  for (let left = options.targets.length; left > 0; left -= 1) {
    poll.wait(undefined, 1);
    if (left % 2) poll.takeCompletions(1).forEach(take(lists));
    else packed.takeCompletions(poll, 1).forEach(take(lines));
  }
  return outcomes;
}

// What the checks ask about it.
const handshake = ({ version, resumed, serverName, refusal }) => ({
  handshake: { version, resumed, 'server-name': serverName, names: refusal?.names },
});

function* fetchAll({ client, tls }, options) {
  for (let left = Number(options.connections); left > 0; left -= 1) {
    let origin;
    try {
      origin = client.Origin.create(endpoint(options));
    } catch (error) {
      if (!error.payload) throw error;
      yield* options.targets.map(() => ({ error: nameOf(error.payload) }));
      continue;
    }
    const conn = client.ClientConn.connect(origin);
    yield* fetchThrough(conn, options, client.Poll);
    const info = options.tls && tls.info(conn.info().id); // nothing, where it was never connected
    if (info) yield handshake(info);
    conn[Symbol.dispose]();
    origin[Symbol.dispose]();
  }
}

if (isMainThread) {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [module, host, port, ...targets] = positionals;
  let ticks = 0;
  setInterval(() => (ticks += 1), 1).unref();
  const worker = new Worker(new URL(import.meta.url), { workerData: { ...values, module, host, port: Number(port), targets } });
  worker.on('message', (outcomes) => {
    for (const outcome of outcomes) console.log(JSON.stringify(outcome));
    console.error(`meanwhile the main thread ran ${ticks} timers`);
  });
} else {
  const sandpiper = await import(pathToFileURL(workerData.module));
  if (workerData['allow-any-certificate']) sandpiper.tlsAdmin.allow({ anyCertificate: true });
  const fetch = workerData.pooled ? fetchPooled : fetchAll;
  parentPort.postMessage([...fetch(sandpiper, workerData)]);
}
