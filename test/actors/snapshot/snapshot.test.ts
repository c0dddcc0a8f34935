import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { type LoadingDeps, LostLogError, loadSnapshot } from '../../../actors/recovery/recovery.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../../../actors/snapshot/format.ts';
import { MemorySnapshots } from '../../../actors/snapshot/memory-store.ts';
import { type SnapshotStore, Snapshotter } from '../../../actors/snapshot/snapshotter.ts';
import { stockUnits } from '../../../actors/stock/availability.ts';
import type { StockBook } from '../../../actors/stock/book.ts';
import { applyDecision, applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import { hash64 } from '../../../streams/hash.ts';
import type { StockDecision } from '../../../streams/journal/stock-decisions.ts';
import { statusOfParts } from '../stock/given.ts';

const CREATED = { SALES: 'a', RECEIPTS: 'b', TRANSFERS: 'c', RETURNS: 'd', COUNTS: 'e', JOURNAL: 'f' };
const SKUS = ['A', 'B', 'Ü'];
const LOCATIONS = ['x', 'y'];

/** Yields to other work after each blob. */
class SlowStore extends MemorySnapshots {
  override async write(partition: number, blobs: readonly { name: string; bytes: Buffer }[]): Promise<void> {
    for (const blob of blobs) {
      await new Promise((resolve) => setImmediate(resolve));
      await super.write(partition, [blob]);
    }
  }

  get manifestsKept(): Buffer[] {
    return this.of(0).manifests;
  }

  get blobs(): Map<string, Buffer> {
    return this.of(0).blobs;
  }
}

/** As if the horizon had always been off and no id had ever been dropped. */
const NO_HORIZON = { changedBy: () => false, widestMs: () => Number.POSITIVE_INFINITY, latestOf: () => undefined };

type Input = { readonly fact: StockFact } | { readonly decision: StockDecision };

const inputs = fc
  .array(
    fc.record({
      kind: fc.nat(7),
      sku: fc.constantFrom(...SKUS),
      location: fc.constantFrom(...LOCATIONS),
      qty: fc.integer({ min: 1, max: 9 }),
      at: fc.nat(20),
      id: fc.nat(5),
    }),
    { maxLength: 60 },
  )
  .map((drawn) => drawn.map((each, n) => inputOf(each, n)));

function inputOf(
  {
    kind,
    sku,
    location,
    qty,
    at,
    id,
  }: { kind: number; sku: string; location: string; qty: number; at: number; id: number },
  n: number,
): Input {
  const common = { id: `f${n}`, sku, location, at };
  const reservation = `r${id}`;
  switch (kind) {
    case 0:
      return { fact: { ...common, type: 'sale', qty, reservation: id === 0 ? undefined : reservation } };
    case 1:
      return { fact: { ...common, type: 'receipt', qty, damaged: id } };
    case 2:
      return { fact: { ...common, type: 'count', counted: qty } };
    case 3:
      return {
        fact: {
          ...common,
          type: 'transfer',
          phase: id % 2 === 0 ? 'shipped' : 'received',
          transfer: `t${id >> 1}`,
          qty,
          damaged: 0,
          from: id % 2 === 0 ? location : 'z',
          to: id % 2 === 0 ? 'y' : location,
          eta: undefined,
        },
      };
    case 4:
    case 5: {
      const line = { index: 0, sku, location, qty, partition: 0, seq: n };
      return {
        decision: {
          kind: 'granted',
          id: reservation,
          content: hash64(reservation),
          channel: 'web',
          purpose: 'order',
          atMs: n + 1,
          expiresAtMs: 1e12,
          coordinator: 0,
          participants: [0],
          parts: [[0, 1]],
          lines: [line],
          shortages: [],
        },
      };
    }
    case 6:
      return { decision: { kind: 'confirmed', id: reservation, atMs: n + 1, parts: [[0, 1]] } };
    default:
      return { decision: { kind: 'released', id: reservation, atMs: n + 1, parts: [[0, 1]] } };
  }
}

/** A second grant of a live id is never journaled, because the id's owner answers with the first one. */
function feed(partition: Partition, factIds: FactIds, input: Input): void {
  if ('fact' in input) {
    factIds.add(0, hash64(input.fact.id, 1), hash64(input.fact.id, 2), input.fact.at);
    applyFact(partition.book, input.fact);
    partition.positions.SALES += 1;
  } else if (input.decision.kind !== 'granted' || partition.book.parts.get(input.decision.id)?.granted !== true) {
    applyDecision(partition.book, input.decision);
    partition.journalSeq += 1;
  }
}

function stateOf(book: StockBook): unknown {
  const keys = [...book.skus.values()]
    .flatMap((entry) => entry.keys.map((key) => [stockUnits(book, key, 0), [...key.movements], key.count] as const))
    .sort((a, b) => (`${a[0].sku} ${a[0].location}` < `${b[0].sku} ${b[0].location}` ? -1 : 1));
  const parts = [...book.parts.values()].map((part) => [
    part.id,
    part.granted && statusOfParts([part]),
    part.lines.map((line) => [line.qty, line.fulfilled, line.claimed]),
    part.epoch,
    part.seq,
  ]);
  return { keys, parts: parts.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)) };
}

function depsOf(store: SnapshotStore, factIds: FactIds, more: Partial<LoadingDeps> = {}): LoadingDeps {
  const lastSeqs = { SALES: 1e6, RECEIPTS: 1e6, TRANSFERS: 1e6, RETURNS: 1e6, COUNTS: 1e6, JOURNAL: 1e6 };
  return {
    broker: { stream: async () => undefined },
    store,
    factIds,
    partitions: 1,
    created: CREATED,
    lastSeqs,
    rules: NO_HORIZON,
    note: () => undefined,
    ...more,
  };
}

function snapshotterOf(partition: Partition, factIds: FactIds, store: SnapshotStore): Snapshotter {
  const tip = () => ({ writer: 'w', n: 0, hash: '', seq: 0 });
  return new Snapshotter(partition, factIds, store, {
    partitions: 1,
    created: CREATED,
    horizonsKnown: () => 1,
    tip,
    clock: new SteadyClock(),
    turnMs: 0,
  });
}

describe('a snapshot', () => {
  it('is written again whole at once where the store has lost the one before', async () => {
    const [store, factIds, partition] = [new SlowStore(), new FactIds(), new Partition(0)];
    partition.books.pages.itemsPerPage = 1;
    const snapshotter = snapshotterOf(partition, factIds, store);
    const receive = (id: string) =>
      feed(partition, factIds, { fact: { id, sku: id, location: 'x', at: 1, type: 'receipt', qty: 1, damaged: 0 } });
    receive('A');
    expect(await snapshotter.take()).toBe(true);
    store.manifestsKept.length = 0;
    store.blobs.clear();
    receive('B');
    expect(await snapshotter.take()).toBe(true);
    const again = new Partition(0);
    await loadSnapshot(depsOf(store, new FactIds()), {
      partition: again,
      snapshotter: snapshotterOf(again, new FactIds(), store),
    });
    expect(stateOf(again.book)).toEqual(stateOf(partition.book));
  });

  it('is not taken of a partition that is dropped while the store answers, because its ids are forgotten', async () => {
    const [factIds, partition] = [new FactIds(), new Partition(0)];
    class LosingStore extends MemorySnapshots {
      override async swap(): Promise<'lost'> {
        partition.state = 'dropped';
        factIds.drop(0);
        await new Promise((resolve) => setImmediate(resolve));
        return 'lost';
      }
    }
    const store = new LosingStore();
    const written = vi.spyOn(store, 'write');
    const snapshotter = snapshotterOf(partition, factIds, store);
    feed(partition, factIds, {
      fact: { id: 'A', sku: 'A', location: 'x', at: 1, type: 'receipt', qty: 1, damaged: 0 },
    });
    expect(await snapshotter.take()).toBe(false);
    const writes = written.mock.calls.length;
    expect(await snapshotter.take()).toBe(false);
    expect(written.mock.calls.length).toBe(writes);
  });

  it('holds one moment while the partition goes on, and with the rest gives the same state', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, inputs, inputs, async (before, during, after) => {
        const [store, factIds, partition] = [new SlowStore(), new FactIds(), new Partition(0)];
        // One item per page and a yield after each, so pages change while they wait to be written.
        partition.books.pages.itemsPerPage = 1;
        const snapshotter = snapshotterOf(partition, factIds, store);
        // Write a first generation, so that the second writes only changed pages.
        for (const input of before.slice(0, before.length / 2)) feed(partition, factIds, input);
        await snapshotter.take();
        for (const input of before.slice(before.length / 2)) feed(partition, factIds, input);
        const moment = stateOf(partition.book);
        const rest: Input[] = [...during, ...after];
        const taking = snapshotter.take();
        await Promise.resolve();
        for (const input of during) {
          feed(partition, factIds, input);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await taking;
        for (const input of after) feed(partition, factIds, input);
        if (store.manifestsKept.length === 0) return;
        const [again, seenAgain] = [new Partition(0), new FactIds()];
        await loadSnapshot(depsOf(store, seenAgain), {
          partition: again,
          snapshotter: snapshotterOf(again, seenAgain, store),
        });
        expect(stateOf(again.book)).toEqual(moment);
        expect(audit(again.book)).toEqual([]);
        for (const input of rest) feed(again, seenAgain, input);
        expect(stateOf(again.book)).toEqual(stateOf(partition.book));
        expect(seenAgain.size).toBe(factIds.size);
      }),
      { numRuns: 150 },
    );
  });

  async function twoGenerations() {
    const [store, factIds, partition] = [new SlowStore(), new FactIds(), new Partition(0)];
    const snapshotter = snapshotterOf(partition, factIds, store);
    for (let n = 0; n < 20; n++)
      feed(partition, factIds, {
        fact: { id: `f${n}`, sku: `S${n}`, location: 'x', at: n, type: 'receipt', qty: 1, damaged: 0 },
      });
    await snapshotter.take();
    const first = stateOf(partition.book);
    feed(partition, factIds, {
      fact: { id: 'late', sku: 'S3', location: 'x', at: 99, type: 'receipt', qty: 5, damaged: 0 },
    });
    await snapshotter.take();
    return { store, first, second: stateOf(partition.book) };
  }
  async function load(store: MemorySnapshots, more: Partial<LoadingDeps> = {}) {
    const notes: string[] = [];
    const [partition, factIds] = [new Partition(0), new FactIds()];
    const note = (message: string, detail: Record<string, unknown>) => void notes.push(`${message}: ${detail.why}`);
    const tip = await loadSnapshot(depsOf(store, factIds, { note, ...more }), {
      partition,
      snapshotter: snapshotterOf(partition, factIds, store),
    });
    return { partition, notes, tip };
  }

  it('with a flipped byte in any page or manifest is recognised, and the one before is used', async () => {
    const { store, first, second } = await twoGenerations();
    expect(stateOf((await load(store)).partition.book)).toEqual(second);
    const newest = decodeManifest(store.manifestsKept[0] as Buffer);
    const older = new Set(
      [
        ...decodeManifest(store.manifestsKept[1] as Buffer).pages,
        ...decodeManifest(store.manifestsKept[1] as Buffer).ids,
      ].map((ref) => ref.name),
    );
    const own = [...newest.pages, ...newest.ids].map((ref) => ref.name).filter((name) => !older.has(name));
    for (const bytes of [...own.map((name) => store.blobs.get(name) as Buffer), store.manifestsKept[0] as Buffer]) {
      for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
        bytes[at] = (bytes[at] as number) ^ 0x10;
        const loaded = await load(store);
        expect(loaded.notes).toEqual([expect.stringMatching(/damaged/)]);
        expect(stateOf(loaded.partition.book)).toEqual(first);
        bytes[at] = (bytes[at] as number) ^ 0x10;
      }
    }
  });

  it('of which a page is missing, in both generations, is not used at all', async () => {
    const { store } = await twoGenerations();
    store.blobs.clear();
    const { partition, notes, tip } = await load(store);
    expect(notes).toHaveLength(2);
    expect([tip, partition.book.skus.size, partition.positions.SALES]).toEqual([undefined, 0, 0]);
  });

  it('of other streams, or of another partition count, is not used', async () => {
    const { store } = await twoGenerations();
    const others = Object.fromEntries(Object.keys(CREATED).map((stream) => [stream, 'another']));
    expect((await load(store, { created: others })).notes[0]).toMatch(/belongs to other streams/);
    expect((await load(store, { partitions: 2 })).notes[0]).toMatch(/of partition 0 of 1/);
  });

  it('of streams of which one was made again stops recovery: what that one held is lost', async () => {
    const { store } = await twoGenerations();
    await expect(load(store, { created: { ...CREATED, JOURNAL: 'another' } })).rejects.toThrow(
      /JOURNAL was made again/,
    );
    expect((await load(store, { created: { ...CREATED, ORDERS: 'of a later version' } })).notes).toEqual([]);
  });

  it('from before a stream was there is used, and has nothing of that stream', async () => {
    const { store, second } = await twoGenerations();
    const without = (seqs: Readonly<Record<string, unknown>>) =>
      Object.fromEntries(Object.entries(seqs).filter(([stream]) => stream !== 'COUNTS'));
    const older = decodeManifest(store.manifestsKept[0] as Buffer);
    const { positions, created } = older;
    store.manifestsKept[0] = encodeManifest({
      ...older,
      positions: without(positions),
      created: without(created),
    } as Manifest);
    const loaded = await load(store, {
      lastSeqs: { SALES: 1e6, RECEIPTS: 1e6, TRANSFERS: 1e6, RETURNS: 1e6, COUNTS: 3, JOURNAL: 1e6 },
    });
    expect(loaded.notes).toEqual([]);
    expect(stateOf(loaded.partition.book)).toEqual(second);
    expect(loaded.partition.positions.COUNTS).toBe(0);
  });

  it('that knows more than the streams hold stops recovery: their end was lost', async () => {
    const { store } = await twoGenerations();
    const lastSeqs = { SALES: 20, RECEIPTS: 0, TRANSFERS: 0, RETURNS: 0, COUNTS: 0, JOURNAL: 0 };
    await expect(load(store, { lastSeqs })).rejects.toThrow(LostLogError);
  });
});
