/** Sockets and requests that cost more than they seem to, and pages of other sites (cases 5, 6 and 9). */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { ask } from '../../../harness/callers/http-caller.ts';
import { type Attack, anyNode, fact, type Ground, paced, pickOf } from '../attack.ts';
import { hit, submit } from './hit.ts';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const PAIR = ['{"subscribe":["anomaly"]}', '{"unsubscribe":["anomaly"]}'];
const ANOMALIES = 1_000;

export const socketStorm: Attack = {
  name: 'socket-storm',
  of: 5,
  does: '2,000 changes of topics a second over one WebSocket, with 1,000 anomalies open',
  // A sale of a SKU that is not in stock opens an anomaly.
  prepare: (ground) =>
    submit(
      anyNode(ground),
      range(ANOMALIES).map((i) => fact(`x-neg-${i}`, `X-NEG-${i}`, 'xa', { type: 'sale' })),
    ),
  run: async (ground) => {
    let socket: WebSocket | undefined;
    await paced(ground, 20, async () => {
      if (socket === undefined || socket.readyState > WebSocket.OPEN) socket = await opened(anyNode(ground));
      for (let i = 0; i < 50; i++) for (const each of PAIR) socket.send(each);
    });
    socket?.terminate();
  },
};

async function opened(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/live`);
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.once('open', resolve).once('close', resolve);
  });
  return socket;
}

export const socketGarbage: Attack = {
  name: 'socket-garbage',
  of: 5,
  does: 'WebSockets that ask for 200 topics, for none that exists, in frames that are none, and leave at once',
  run: (ground) =>
    paced(ground, 10, async () => {
      const socket = await opened(anyNode(ground));
      const topics = range(200).map((i) => `atp:X-${i}-${Math.floor(ground.random() * 1e6)}`);
      socket.send(
        pickOf(ground, [JSON.stringify({ subscribe: topics }), '{', '[]', 'x'.repeat(70_000), '{"subscribe":7}']),
      );
      await delay(50);
      socket.terminate();
    }),
};

export const parkedLists: Attack = {
  name: 'parked-lists',
  of: 6,
  does: 'the longest lists of what is parked, two at a time',
  run: (ground) =>
    paced(ground, 1, () => Promise.all(range(2).map(() => hit(anyNode(ground), 'GET', '/v1/parked?limit=1000')))),
};

/** Keeps at most this many sockets open. Each sends what `write` wrote and nothing more. */
async function held(ground: Ground, most: number, perSecond: number, write: (socket: Socket) => void): Promise<void> {
  const open: Socket[] = [];
  await paced(ground, perSecond, () => {
    const { port } = new URL(anyNode(ground));
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    write(socket);
    open.push(socket);
    if (open.length > most) open.shift()?.destroy();
  });
  for (const socket of open) socket.destroy();
}

export const unfinished: Attack = {
  name: 'unfinished',
  of: 6,
  does: 'up to 50 bodies of 8 MiB that stop before their end',
  run: (ground) => {
    const head =
      'POST /v1/facts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 8388608\r\n\r\n';
    const part = Buffer.alloc(8_388_608 - 1_000, 0x20);
    return held(ground, 50, 0.7, (socket) => {
      socket.write(head);
      socket.write(part);
    });
  },
};

export const manyConnections: Attack = {
  name: 'many-connections',
  of: 6,
  does: 'up to 1,500 connections that never finish their first line',
  run: (ground) => held(ground, 1_500, 200, (socket) => socket.write('GET /v1/atp/X')),
};

interface Foreign {
  readonly headers: Readonly<Record<string, string>>;
  readonly what: string;
}
const JSON_TYPE = { 'Content-Type': 'application/json' };
const FOREIGN: readonly Foreign[] = [
  { what: 'without a content type', headers: {} },
  { what: 'of a foreign origin', headers: { ...JSON_TYPE, Origin: 'https://evil.example' } },
  { what: 'of the origin null', headers: { ...JSON_TYPE, Origin: 'null' } },
  { what: 'that a browser calls cross-site', headers: { ...JSON_TYPE, 'Sec-Fetch-Site': 'cross-site' } },
  { what: 'for a foreign host', headers: { ...JSON_TYPE, Host: 'evil.example' } },
  {
    what: 'for a rebound host of this port',
    headers: { ...JSON_TYPE, Host: 'evil.example:8080', Origin: 'http://evil.example:8080' },
  },
  { what: 'of a form', headers: { 'Content-Type': 'text/plain', Origin: 'https://evil.example' } },
];

/** All ways use one SKU and one location, so a stored fact shows that some way was open. */
export const foreignPages: Attack = {
  name: 'foreign-pages',
  of: 9,
  does: 'what another site’s page makes a visitor’s browser send: foreign origins and hosts, bodies without a type',
  run: (ground) =>
    paced(ground, 30, async () => {
      const { what, headers } = pickOf(ground, FOREIGN);
      const url = anyNode(ground);
      const body = pickOf(ground, [
        { path: '/v1/facts', send: fact(ground.fresh('x-csrf'), 'X-CSRF', 'xc') as object },
        { path: '/v1/reservations', send: { id: ground.fresh('x-csrf'), lines: [{ sku: 'X-CSRF', qty: 1 }] } },
        { path: '/v1/reservations/x/confirm', send: {} },
      ]);
      const answer = await hit(url, 'POST', body.path, JSON.stringify(body.send), headers);
      // A status such as 404 or 409 would mean that the request was processed.
      const refused = [400, 403, 415, 421, 422];
      if (answer.status !== 0 && answer.status !== 503 && !refused.includes(answer.status))
        ground.wrong(`a body ${what} to ${body.path} is answered ${answer.status}`);
    }),
  leaves: async (url) => {
    const { status } = await ask(url, 'GET', '/v1/stock/X-CSRF');
    return status === 404 ? [] : [`another site's page has written a fact: X-CSRF is ${status}`];
  },
};
