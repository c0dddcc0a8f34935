/** A lease expires on servers so slow that rewriting all owner keys takes longer than a lease. */
import { expect, it } from 'vitest';
import { Ownership } from '../../../actors/ownership/ownership.ts';
import { NODES_BUCKET, OWNERS_BUCKET } from '../../../config/topology.ts';
import { MemoryKeys } from '../../../streams/memory/broker.ts';
import { MemoryLog } from '../../../streams/memory/log.ts';

const TTL_MS = 3_000;
const LEASE_MS = (TTL_MS * 2) / 3;

/** Time passes only through work. Every confirmation takes a fifth of a lease. */
async function lapsed(perPartitionMs: number) {
  let now = 0;
  const log = new MemoryLog(8, () => 0);
  const clock = { nowMs: () => now, monoMs: () => now, after: () => () => undefined, turn: () => undefined };
  const nodes = new MemoryKeys(log, NODES_BUCKET);
  const owners = new MemoryKeys(log, OWNERS_BUCKET);
  const self = () => ({ name: 'one', writer: 'one-1', http: '', process: undefined });
  const ownership = new Ownership(nodes, owners, clock, self, TTL_MS, () => false);
  await ownership.renew(async () => undefined);
  const { claims } = await ownership.assign(8, new Set());
  expect(claims).toHaveLength(8);
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
  return { ownership, claims, renew };
}

it('counts again when the node told all the while that it lives', async () => {
  const { ownership, claims, renew } = await lapsed(LEASE_MS / 5);
  expect(claims.length).toBe(8);
  await renew();
  expect(ownership.leased).toBe(true);
});

it('does not count when the node was silent for longer than a lease in between', async () => {
  const { ownership, renew } = await lapsed(LEASE_MS + 1);
  await expect(renew()).rejects.toThrow('ran out while it was confirmed');
  expect(ownership.leased).toBe(false);
});
