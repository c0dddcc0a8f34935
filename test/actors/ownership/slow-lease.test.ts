/** A lease that ran out, on servers so slow that writing all owner keys anew takes longer than a lease lasts. */
import { expect, it } from 'vitest';
import { Ownership } from '../../../actors/ownership/ownership.ts';
import { NODES_BUCKET, OWNERS_BUCKET } from '../../../config/topology.ts';
import { freshNats } from '../../../harness/servers/servers.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

const TTL_MS = 3_000;
const LEASE_MS = (TTL_MS * 2) / 3;

/** Time that passes only by what is done: every confirmation takes a fifth of a lease. */
async function lapsed(perPartitionMs: number) {
  const nats = await freshNats();
  const broker = await NatsBroker.connect(nats.url, 'one');
  let now = 0;
  const clock = { nowMs: () => now, monoMs: () => now, after: () => () => undefined, turn: () => undefined };
  const nodes = await broker.keys(NODES_BUCKET, { ttlMs: 60_000, replicas: 1 });
  const owners = await broker.keys(OWNERS_BUCKET, { replicas: 1 });
  const self = () => ({ name: 'one', writer: 'one-1', http: '', process: undefined });
  const ownership = new Ownership(nodes, owners, clock, self, TTL_MS, () => false);
  await ownership.renew(async () => undefined);
  const { claims } = await ownership.assign(8, new Set());
  now += 10 * LEASE_MS;
  expect(ownership.leased).toBe(false);
  const renew = () =>
    ownership.renew(async (held) => {
      for (const { partition } of claims) {
        expect(await ownership.reconfirm(partition)).toBe(true);
        now += perPartitionMs;
        await held();
      }
    });
  return { ownership, claims, renew, close: () => broker.close() };
}

it('counts again when the node told all the while that it lives', async () => {
  const { ownership, claims, renew, close } = await lapsed(LEASE_MS / 5);
  expect(claims.length).toBe(8);
  await renew();
  expect(ownership.leased).toBe(true);
  await close();
});

it('does not count when the node was silent for longer than a lease in between', async () => {
  const { ownership, renew, close } = await lapsed(LEASE_MS + 1);
  await expect(renew()).rejects.toThrow('ran out while it was confirmed');
  expect(ownership.leased).toBe(false);
  await close();
});
