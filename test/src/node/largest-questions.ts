/** Requests of every operation between nodes whose answers are as large as possible, and the stock that makes them so. */
import { expect } from 'vitest';
import { inHalves } from '../../../actors/ports/halves.ts';
import type { PeerOperationName } from '../../../actors/ports/peer-operations.ts';
import type { GatherOperation } from '../../../dashboards/query/gather-operations.ts';
import type { NatsPeers } from '../../../src/node/peers.ts';
import { partitionOf } from '../../../streams/subjects.ts';

export const PARTITIONS = 8;

const at = (sku: string) => partitionOf(sku, PARTITIONS);
const wide = (name: string) => name.padEnd(64, '-');
export const BIG = wide('big');
export const OFTEN = 'often';
export const SHELF = wide('shelf');
export const PLACES = Array.from({ length: 1_000 }, (_, i) => wide(`place-${i}`));
/** Two SKUs of each partition. All lines of a reservation are one decision, which must fit in one record. */
export const BASKET = Array.from({ length: 2 * PARTITIONS }, (_, i) =>
  Array.from({ length: 500 }, (__, n) => wide(`basket-${i}-${n}`)).find((sku) => at(sku) === i % PARTITIONS),
) as string[];
export const WHOLE = 'whole'.padEnd(128, '-');
const AGAIN = 'again'.padEnd(128, '-');

export const basket = { id: WHOLE, lines: BASKET.map((sku) => ({ sku, qty: 12, split: true })), ttlSeconds: 3_600 };
/** A request after the schema has parsed it. */
export const read = { ...basket, channel: 'web', purpose: 'order' as const, partial: false };

const gathers: Record<GatherOperation, unknown> = {
  kpi: [],
  'kpi-locations': PLACES.slice(0, 400),
  'find-names': { text: '', limit: 5_000 },
  'find-items': { text: null, after: '', limit: 201 },
  'find-stock': { location: SHELF, state: 'all', after: '', limit: 1_000 },
  'find-promises': { state: 'all', limit: 501 },
  'find-clocks': { lag: 300_000_000, movedTo: 0 },
  'find-reservations': { sku: BIG, location: null, limit: 1_000 },
};
export const SMALL = 'small';

const terms = (id: string, attempt: readonly [number, number]) => ({
  id,
  attempt,
  content: { hi: 1, lo: 2 },
  channel: 'web',
  purpose: 'order',
  grantedAtMs: 1,
  expiresAtMs: Date.now() + 60_000,
  confirmedAtMs: 0,
  releasedAtMs: 0,
  expiredAtMs: 0,
  home: at(id),
  releases: [],
});

/** Asks over a caller's peers. */
export function questionsOver(peers: NatsPeers) {
  const all = <T>(of: (partition: number) => Promise<T>) =>
    Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => of(partition)));
  /** Partitions of the node that owns most. */
  async function most(): Promise<number[]> {
    const owners = await all(ownerOf);
    const owned = [...new Set(owners)].map((owner) =>
      [...owners.keys()].filter((partition) => owners[partition] === owner),
    );
    return owned.sort((a, b) => b.length - a.length)[0] ?? [];
  }
  const baskets = async () => {
    const here = await most();
    return [...new Set(BASKET.map(at))].filter((partition) => here.includes(partition));
  };
  async function ownerOf(partition: number): Promise<string> {
    return (await peers.ask(partition, 'point', {})).writer;
  }

  /**
   * Asks for twice the limit and returns the answer. Returns SMALL, after the largest request, for operations whose answers cannot be so
   * large. One of a reservation is not, because its decision fits in a record.
   */
  const cases: Record<PeerOperationName, () => Promise<unknown>> = {
    atp: () => peers.ask(at(BIG), 'atp', { lines: [{ sku: BIG }] }),
    stock: async () => (await peers.ask(at(BIG), 'stock', { sku: BIG, location: PLACES[0] as string })) && SMALL,
    skuStock: () => peers.ask(at(BIG), 'skuStock', { sku: BIG }),
    stocks: () => peers.ask(at(BIG), 'stocks', { skus: [BIG] }),
    supply: () => peers.ask(at(BIG), 'supply', { sku: BIG, limit: 1_000 }),
    items: async () => (await peers.ask(at(BIG), 'items', { skus: [BIG] })) && SMALL,
    explain: () => peers.ask(at(OFTEN), 'explain', { sku: OFTEN, location: 'x', limit: 1_000 }),
    place: async () => (await peers.ask(at(WHOLE), 'place', read)) && SMALL,
    reservation: async () => (await peers.ask(at(WHOLE), 'reservation', { id: WHOLE })) && SMALL,
    confirm: async () => (await peers.ask(at(WHOLE), 'confirm', { id: WHOLE })) && SMALL,
    viewPart: async () => (await peers.ask((await baskets())[0] as number, 'viewPart', { id: WHOLE })) && SMALL,
    followPart: async () => {
      const number = at(BIG);
      const outcome = {
        ...terms('none', [1, 1]),
        lines: [],
        counted: [],
        shortages: [],
        participants: [],
        following: [],
      };
      return (await peers.ask(number, 'followPart', { outcome: { ...outcome, atMs: 1, parts: [] } })) && SMALL;
    },
    reservationIds: async () => (await peers.ask(at(BIG), 'reservationIds', { sku: BIG, limit: 500 })) && SMALL,
    expireHold: async () => (await peers.ask(at('none'), 'expireHold', { id: 'none' })) && SMALL,
    amend: async () => {
      await peers.ask(at(AGAIN), 'place', { ...read, id: AGAIN });
      return (await peers.ask(at(AGAIN), 'amend', { ...read, ttlSeconds: undefined, id: AGAIN })) && SMALL;
    },
    releaseSome: async () => {
      const part = { id: 'part', lines: [{ sku: BASKET[0] as string, qty: 1 }] };
      await peers.ask(at(AGAIN), 'releaseSome', { id: AGAIN, part });
      return (await peers.ask(at(AGAIN), 'release', { id: AGAIN })) && SMALL;
    },
    release: async () => (await peers.ask(at(WHOLE), 'release', { id: WHOLE })) && SMALL,
    // Its parts are one decision, which one journal record holds.
    growPart: async () => {
      const sku = BASKET[0] as string;
      const wish = { lines: [{ index: 0, sku, qty: 50, locations: undefined, split: true }], size: 1, partial: false };
      const answer = await peers.ask(at(sku), 'growPart', { terms: terms('part', [1, 1]), wish });
      await peers.ask(at(sku), 'undoPart', { id: 'part', attempt: [1, 1] });
      return answer.lines.length === 50 ? SMALL : answer;
    },
    // Its answer is about as large as its request, which one message holds.
    planPart: async () => {
      const sku = BASKET[0] as string;
      const line = { sku, qty: 99, locations: undefined, split: true };
      const lines = Array.from({ length: 200 }, (_, index) => ({ index, ...line }));
      const answer = await peers.ask(at(sku), 'planPart', { id: 'none', wish: { lines, size: 200, partial: false } });
      return answer.shortages.length === 200 ? SMALL : answer;
    },
    undoPart: async () => (await peers.ask(at(BIG), 'undoPart', { id: 'none', attempt: [1, 1] })) && SMALL,
    point: async () => (await peers.ask(0, 'point', {})) && SMALL,
    verdict: async () => (await peers.ask(at(BIG), 'verdict', { stream: 'RECEIPTS', seq: 1 })) && SMALL,
    'anomaly.heard': async () => {
      const minutes = Array.from({ length: 200 }, (_, i) => 29_000_000 + i);
      const one = { location: SHELF, facts: 1, late: 0, lateness: 0, minutes, at: 1, lag: 0, recordedAt: 1 };
      const heard = Array.from({ length: 200 }, () => one);
      await expect(peers.ask(0, 'anomaly.heard', heard)).rejects.toMatchObject({ kind: 'too-large' });
      const told = await inHalves(heard, async (some) => {
        await peers.ask(0, 'anomaly.heard', some);
        return some;
      });
      expect(told.length).toBe(200);
      return SMALL;
    },
    'anomaly.known': async () => {
      const ids = Array.from({ length: 200 }, (_, i) => `none-${i}`.padEnd(128, '日'));
      await expect(peers.ask(0, 'anomaly.known', ids)).rejects.toMatchObject({ kind: 'too-large' });
      expect(await inHalves(ids, (some) => peers.ask(0, 'anomaly.known', some))).toEqual([]);
      return SMALL;
    },
    'anomaly.step': async () => {
      const person = { by: 'b'.repeat(128), why: 'w'.repeat(1_000) };
      const step = peers.ask(0, 'anomaly.step', { id: `0.shortfall.${'0'.repeat(16)}`, step: 'resolve', person });
      await expect(step).rejects.toMatchObject({ kind: 'not-found' });
      return SMALL;
    },
    gather: () => gathered('kpi'),
    'live-want': () => peers.ask(at(BIG), 'live-want', { reader: 'nobody', topics: [['stock', BIG]] }),
  };

  /** The answers of one node for all of its partitions together. */
  async function gathered(operation: GatherOperation): Promise<unknown> {
    const owner = await ownerOf(at(BIG));
    const owners = await all(ownerOf);
    const partitions =
      operation === 'find-stock' || operation === 'find-clocks'
        ? await most()
        : [...owners.keys()].filter((partition) => owners[partition] === owner);
    return peers.ask(partitions[0] as number, 'gather', { operation, body: gathers[operation], partitions });
  }

  return { cases, gathered, ownerOf, all };
}
