// Sandpiper as a library in Node: gets targets of one server through one connection:
//     jco transpile sandpiper.wasm -o sandpiper
//     node fetch.mjs [--streaming] sandpiper/sandpiper.js HOST PORT TARGET...        prints a line of JSON for each target
//
// A call into the component blocks its thread while it waits, so the component runs in a worker.

import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const CONTENT_MAX = 1n << 20n; // u64 is a BigInt

const get = (target) => ({
  method: 'GET',
  requestTarget: target,
  fields: [['Accept', new TextEncoder().encode('*/*')]],
  content: { tag: 'none' },
});

const page = ({ status }, content) => ({ status, content: Buffer.from(content).toString('base64') });
const failed = ({ error, delivery }) => ({ error: error.val ? `${error.tag}(${error.val})` : error.tag, delivery });

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

function stream(send, poll) {
  const parts = [];
  let head;
  for (;;) {
    for (const { tag, val } of poll.wait(undefined, 16)) {
      if (tag !== 'exchange') continue;
      if (val.ready.head || val.ready.failed) head = send.head(); // throws the failure
      const chunk = val.ready.readable ? send.read(CONTENT_MAX) : {};
      if (chunk.tag === 'data') parts.push(chunk.val);
      if (chunk.tag === 'end') return page(head, Buffer.concat(parts));
    }
  }
}

async function fetchAll({ streaming, module, host, port, targets }) {
  const { ClientConn, Poll } = (await import(pathToFileURL(module))).client;
  const conn = ClientConn.connect({ host, port, addresses: [] });
  try {
    if (!streaming) {
      const sent = conn.sendAll(targets.map(get), 0n);
      return sent.map(({ tag, val }) => (tag === 'ok' ? attempt(() => collect(val)) : failed(val)));
    }
    const poll = new Poll();
    poll.insert(conn, 1n);
    return targets.map((target) => attempt(() => stream(conn.send(get(target), 2n), poll)));
  } finally {
    conn[Symbol.dispose]();
  }
}

if (isMainThread) {
  const streaming = process.argv.includes('--streaming');
  const [module, host, port, ...targets] = process.argv.slice(streaming ? 3 : 2);
  let ticks = 0;
  setInterval(() => (ticks += 1), 1).unref();
  const worker = new Worker(new URL(import.meta.url), { workerData: { streaming, module, host, port: Number(port), targets } });
  worker.on('message', (outcomes) => {
    for (const outcome of outcomes) console.log(JSON.stringify(outcome));
    console.error(`meanwhile the main thread ran ${ticks} timers`);
  });
} else {
  parentPort.postMessage(await fetchAll(workerData));
}
