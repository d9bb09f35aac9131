// A plugin in JavaScript: pages through one connection, and one page as it arrives.
//
// Built into a component by `jco componentize --backend qjs`, and given its client by composition with sandpiper.wasm, or,
// for https, sandpiper-tls.wasm.

import { ClientConn, Origin, Poll } from 'sandpiper:http/client@0.2.0';

const CONTENT_MAX = 1 << 20; // QuickJS guests have u64 as a number; all other JavaScript bindings as a BigInt

// There is no TextEncoder either.
const octets = (ascii) => Uint8Array.from(ascii, (letter) => letter.charCodeAt(0));

// Every argument must be there; a field without value need not.
function connect(host, port, tls) {
  const origin = Origin.create({ host, port, addresses: [], tls }, undefined);
  try {
    return ClientConn.connect(origin);
  } finally {
    origin[Symbol.dispose]();
  }
}

const get = (target) => ({
  method: 'GET',
  requestTarget: target,
  fields: [['Accept', octets('*/*')]],
  content: { tag: 'none' },
});

// A failure is a value in a list of results, and thrown, as an error's payload, by a call that fails.
function collect(sent) {
  if (sent.tag === 'err') return sent;
  try {
    const { head, content } = sent.val.collect(CONTENT_MAX);
    return { tag: 'ok', val: { status: head.status, content } };
  } catch (error) {
    return { tag: 'err', val: error.payload };
  }
}

function concat(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const pages = {
  getAll(host, port, tls, targets) {
    const conn = connect(host, port, tls);
    try {
      return conn.sendAll(targets.map(get), 0).map(collect);
    } finally {
      conn[Symbol.dispose]();
    }
  },

  getStreaming(host, port, tls, target) {
    const conn = connect(host, port, tls);
    const poll = new Poll(undefined);
    try {
      poll.insert(conn, 1);
      const send = conn.send(get(target), 2);
      const parts = [];
      let status;
      for (;;) {
        for (const { tag, val } of poll.wait(undefined, 16)) {
          if (tag !== 'exchange') continue;
          const { head, readable, failed } = val.ready; // what is not acted upon is reported again
          if (head || failed) status = send.head().status; // throws the failure
          if (!readable) continue;
          const chunk = send.read(CONTENT_MAX);
          if (chunk.tag === 'data') parts.push(chunk.val);
          if (chunk.tag === 'end') return { status, content: concat(parts) };
        }
      }
    } finally {
      conn[Symbol.dispose]();
    }
  },
};
