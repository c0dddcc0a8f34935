/** All writes of one turn of the event loop leave together and in order, and none is left behind. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { batchClientWrites } from '../../../src/process/batched-writes.ts';

async function pair(): Promise<{ client: Socket; received: () => string; ended: Promise<unknown> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ];
  let text = '';
  accepted.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  onTestFinished(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, received: () => text, ended: once(accepted, 'end') };
}

it('writes what comes within one turn in one go, from whatever promise it comes', async () => {
  batchClientWrites();
  batchClientWrites();
  const { client, received } = await pair();
  const alone = vi.spyOn(client, '_write');
  const together = vi.spyOn(client as Required<Pick<Socket, '_writev'>>, '_writev');
  const all = Array.from({ length: 100 }, (_, i) => `${i};`);
  await Promise.all(
    all.map(async (each, i) => {
      for (let turn = 0; turn < i % 7; turn++) await Promise.resolve();
      client.write(each);
    }),
  );
  await expect.poll(() => received().length).toBe(all.join('').length);
  expect(received().split(';').sort()).toEqual(all.join('').split(';').sort());
  expect([alone.mock.calls.length, together.mock.calls.length]).toEqual([0, 1]);
});

it('loses nothing of a connection that ends in the same turn', async () => {
  batchClientWrites();
  const { client, received, ended } = await pair();
  for (const each of ['a', 'b', 'c']) client.write(each);
  client.end('d');
  await ended;
  expect(received()).toBe('abcd');
});
