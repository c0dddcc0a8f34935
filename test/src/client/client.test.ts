/** The client against real sockets: nodes that are gone, that break a connection, and that return. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { Client, NO_ANSWER } from '../../../src/client/client.ts';

const servers = new Set<Server>();
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all([...servers].map(stop));
});

/** Listens on the port, or on a free one. Returns its address. */
async function listen(listener: RequestListener, port = 0): Promise<{ server: Server; address: string; port: number }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  servers.add(server);
  const bound = (server.address() as AddressInfo).port;
  return { server, address: `127.0.0.1:${bound}`, port: bound };
}

async function stop(server: Server): Promise<void> {
  servers.delete(server);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

const says =
  (name: string): RequestListener =>
  (_, response) =>
    response.end(JSON.stringify({ name }));
const breaks: RequestListener = (request) => request.socket.destroy();

async function names(client: Client, requests: number): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let i = 0; i < requests; i++) {
    const asked = await client.ask<{ name: string }>('GET', '/');
    all.push(asked.ok ? asked.body.name : asked.problem.status);
  }
  return all;
}

test('takes the nodes in turn', async () => {
  const [a, b] = [await listen(says('a')), await listen(says('b'))];
  expect(await names(new Client([a.address, b.address]), 4)).toEqual(['a', 'b', 'a', 'b']);
});

test.each([
  ['refuses the connection', undefined],
  ['breaks the connection', breaks],
])('a node that %s costs no request, rests, and is asked again later', async (_, listener) => {
  let nowMs = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const hit = vi.fn(listener ?? says('never'));
  const [a, b] = [await listen(hit), await listen(says('b'))];
  if (listener === undefined) await stop(a.server);
  const client = new Client([a.address, b.address]);
  expect(await names(client, 10)).toEqual(Array(10).fill('b'));
  expect(hit).toHaveBeenCalledTimes(listener === undefined ? 0 : 1);
  if (listener !== undefined) await stop(a.server);
  await listen(says('a'), a.port);
  expect(await names(client, 2)).toEqual(['b', 'b']);
  nowMs += 2_001;
  expect(new Set(await names(client, 2))).toEqual(new Set(['a', 'b']));
});

test('says so when no node answers, and asks all of them again at once', async () => {
  const [a, b] = [await listen(says('a')), await listen(says('b'))];
  await Promise.all([stop(a.server), stop(b.server)]);
  const client = new Client([a.address, b.address]);
  expect(await names(client, 2)).toEqual([NO_ANSWER, NO_ANSWER]);
  await listen(says('b'), b.port);
  expect(await names(client, 1)).toEqual(['b']);
});

test('repeats nothing that a node has answered', async () => {
  const problem = { type: 'undecided', title: 'Undecided', status: 503, detail: 'no owner' };
  let asked = 0;
  const refuses: RequestListener = (_, response) => {
    asked += 1;
    response.writeHead(503, { 'retry-after': '2' }).end(JSON.stringify(problem));
  };
  const [a, b] = [await listen(refuses), await listen(refuses)];
  const answer = await new Client([a.address, b.address]).ask('POST', '/v1/reservations', {});
  expect(answer).toEqual({ ok: false, problem, base: `http://${a.address}`, retryAfterMs: 2_000 });
  expect(asked).toBe(1);
});

test('leaves a node that is silent', async () => {
  const [a, b] = [await listen(() => undefined), await listen(says('b'))];
  expect(await names(new Client([a.address, b.address], 100), 3)).toEqual(['b', 'b', 'b']);
});
