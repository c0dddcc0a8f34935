/**
 * Bodies that arrive slowly, not at all, or too many at once, over real sockets. Each is ended in time, and other requests are answered
 * beside them.
 */
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { LIMITS } from '../../../config/limits.ts';
import { until } from '../../../harness/until.ts';
import { BodyReader } from '../../../src/http/body-reader.ts';
import { type Front, front, SALE } from './front.ts';

const MIB = 1024 * 1024;
const sockets: Socket[] = [];
let open: Front | undefined;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await open?.app.close();
});

/** Begins a body of 8 MiB and sends part of it. `heard` returns the answer. */
function begin(url: string, sent: number): { heard: () => string; closed: () => boolean; socket: Socket } {
  let [text, closed] = ['', false];
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('data', (bytes) => {
    text += bytes.toString();
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      closed = true;
    });
  socket.write(
    `POST /v1/facts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${8 * MIB}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(sent, 0x20));
  return { heard: () => text, closed: () => closed, socket };
}

async function held({ app }: Front): Promise<number> {
  const { body } = await app.inject('/metrics');
  return Number(/\nholdfast_http_body_bytes (\d+)/.exec(body)?.[1]);
}

it('holds what has come of unfinished bodies, refuses the next one at the bound with 503 at once, and gives all of it back', async () => {
  open = front();
  const { app } = open;
  const it_ = open;
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  // 60 requests that only announce 8 MiB each exceed the limit together, but block no other request.
  const announced = Array.from({ length: 60 }, () => begin(url, 1));
  const facts = (count: number) =>
    fetch(`${url}/v1/facts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(Array.from({ length: count }, (_, i) => ({ ...SALE, id: `s-${i}` }))),
    });
  expect((await facts(1)).status).toBe(200);
  const most = Math.ceil(LIMITS.bodiesBytes / (7 * MIB));
  const bodies = Array.from({ length: most }, () => begin(url, 7 * MIB));
  await until(
    () => bodies.some(({ heard }) => heard().includes('"type":"busy"')),
    20_000,
    () => 'one is refused',
  );
  const refused = bodies.filter(({ heard }) => heard() !== '');
  expect(refused[0]?.heard()).toMatch(/^HTTP\/1\.1 503 /);
  expect(refused[0]?.heard().toLowerCase()).toContain('\r\nretry-after: 1\r\n');
  expect(refused.length).toBeLessThan(4);
  expect(await held(it_)).toBeLessThanOrEqual(LIMITS.bodiesBytes);
  // The node still answers beside them.
  expect((await fetch(`${url}/v1/atp/85123A`)).status).toBe(200);
  expect(await held(it_)).toBeGreaterThan(0);
  for (const { socket } of [...announced, ...bodies]) socket.destroy();
  await until(
    async () => (await held(it_)) === 0,
    20_000,
    () => 'all of it is given back',
  );
  expect((await facts(1_000)).status).toBe(200);
  await until(
    async () => (await held(it_)) === 0,
    20_000,
    () => 'that of an answered request too',
  );
}, 30_000);

it('answers 408 to a body that stands still and closes its connection, and leaves one alone that comes slowly', async () => {
  let now = 0;
  const reader = new BodyReader(() => now);
  open = front('node-1', reader);
  const url = await open.app.listen({ host: '127.0.0.1', port: 0 });
  const [still, slow] = [begin(url, 100), begin(url, 100)];
  for (let second = 1; second <= 3 * (LIMITS.bodyProgressMs / 1_000); second++) {
    const before = reader.held;
    slow.socket.write(' '.repeat(LIMITS.bodyProgressBytes / 9));
    await until(
      () => reader.held > before,
      20_000,
      () => 'it has come',
      2,
    );
    now = second * 1_000;
    reader.watch();
  }
  await until(still.closed, 20_000, () => 'the connection is closed');
  expect(still.heard()).toMatch(/^HTTP\/1\.1 408 /);
  expect(still.heard()).toContain('"type":"too-slow"');
  expect([slow.heard(), slow.closed()]).toEqual(['', false]);
});

it('closes a connection beyond the bound, and takes the next one when one has ended', async () => {
  open = front();
  open.app.server.maxConnections = 2;
  const url = await open.app.listen({ host: '127.0.0.1', port: 0 });
  const [one, , third] = [begin(url, 1), begin(url, 1), begin(url, 1)];
  await until(third.closed, 20_000, () => 'it is closed');
  one.socket.destroy();
  await until(
    () =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    20_000,
    () => 'another one is taken',
  );
});
