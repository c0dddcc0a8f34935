/** Remembered fact ids give every answer that a Map of id → content would give, with a fraction of the memory. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_IDS, FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { type Hash64, hash64 } from '../../../streams/hash.ts';

const one: Hash64 = { hi: 1, lo: 2 };
const other: Hash64 = { hi: 1, lo: 3 };

// The first test of its file, so that no other test affects the measurement.
describe('a million ids', () => {
  it('cost less than 32 bytes each, and forgetting them gives the memory of their chunks back', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    // A separate thread frees buffers after a collection, so the second collection waits for the first one's.
    const bytes = async () => {
      for (let i = 0; i < 2; i++) {
        collect();
        await setImmediate();
      }
      return process.memoryUsage().arrayBuffers;
    };
    const before = await bytes();
    const factIds = new FactIds();
    const ids = 1_000_000;
    for (let n = 0; n < ids; n++)
      factIds.add(n & 31, { hi: Math.imul(n, 0x9e3779b1) >>> 0, lo: Math.imul(n, 0x85ebca6b) >>> 0 }, one, 1);
    const each = ((await bytes()) - before) / ids;
    expect(each).toBeLessThan(32);
    // All memory is in array buffers, and the hashes alone take at least 16 bytes.
    expect(each).toBeGreaterThan(16);
    expect(factIds.size).toBe(ids);
    expect(factIds.check({ hi: Math.imul(77, 0x9e3779b1) >>> 0, lo: Math.imul(77, 0x85ebca6b) >>> 0 }, one)).toBe(
      'duplicate',
    );
    for (let partition = 0; partition < 32; partition++) factIds.drop(partition);
    expect(factIds.size).toBe(0);
    expect(((await bytes()) - before) / ids).toBeLessThan(16);
  });
});

describe('an id', () => {
  it('is new, then a duplicate with the same content and a conflict with other content', () => {
    const factIds = new FactIds();
    expect(factIds.check(one, other)).toBe('new');
    factIds.add(0, one, other, 5);
    expect([factIds.check(one, other), factIds.check(one, one), factIds.check(other, other)]).toEqual([
      'duplicate',
      'conflict',
      'new',
    ]);
    expect(factIds.check({ hi: 9, lo: 2 }, other)).toBe('new');
    expect(factIds.check(one, { hi: 2, lo: 3 })).toBe('conflict');
    expect(factIds.size).toBe(1);
  });

  it('that was folded in one partition is seen in all', () => {
    const factIds = new FactIds();
    factIds.add(0, one, other, 5);
    factIds.add(7, other, other, 5);
    expect([factIds.check(one, other), factIds.check(other, one)]).toEqual(['duplicate', 'conflict']);
    factIds.drop(0);
    expect([factIds.check(one, other), factIds.check(other, one)]).toEqual(['new', 'conflict']);
  });

  it('is forgotten only when its whole chunk is full and past the moment', () => {
    const factIds = new FactIds();
    const idOf = (n: number) => hash64(`id-${n}`);
    for (let n = 0; n < CHUNK_IDS; n++) factIds.add(0, idOf(n), one, n === 0 ? 100 : 50);
    factIds.add(0, idOf(CHUNK_IDS), one, 10);
    expect(factIds.forgetBefore(0, 100)).toBe(0);
    expect(factIds.forgetBefore(1, 1000)).toBe(0);
    expect(factIds.forgetBefore(0, 101)).toBe(CHUNK_IDS);
    expect([factIds.check(idOf(0), one), factIds.check(idOf(CHUNK_IDS), one), factIds.size]).toEqual([
      'new',
      'duplicate',
      1,
    ]);
    factIds.add(0, idOf(0), other, 200);
    expect([factIds.check(idOf(0), other), factIds.forgetBefore(0, 1000), factIds.size]).toEqual(['duplicate', 0, 2]);
  });

  it('marks its chunk as changed, and a chunk that is loaded is not', () => {
    const factIds = new FactIds();
    factIds.add(3, one, other, 5);
    const [chunk] = factIds.chunksOf(3);
    expect([chunk?.used, chunk?.latest, chunk?.dirty, chunk?.partition]).toEqual([1, 5, true, 3]);
    const loaded = new FactIds();
    loaded.load(3, (chunk?.words ?? new Uint32Array()).slice(0, 4), 5);
    const [copy] = loaded.chunksOf(3);
    expect([copy?.used, copy?.latest, copy?.dirty, loaded.check(one, other)]).toEqual([1, 5, false, 'duplicate']);
    loaded.add(3, other, other, 4);
    expect([copy?.used, copy?.latest, copy?.dirty]).toEqual([2, 5, true]);
  });
});

/** Ids whose hashes crowd into few slots of few shards, to exercise probing and the closing of gaps. */
const crowded = (n: number): Hash64 => ({ hi: ((n * 7) % 61) | ((n % 5) << 12), lo: ((n >>> 2) << 8) | (n & 3) });
const spread = (n: number): Hash64 => hash64(`fact-${n}`, 1);
const contentOf = (n: number): Hash64 => hash64(`content-${n}`);

const partitionOf = fc.integer({ min: 0, max: 2 });
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('add' as const),
      partition: partitionOf,
      count: fc.integer({ min: 1, max: 1500 }),
      at: fc.nat(20),
      from: fc.nat(9000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('forget' as const), partition: partitionOf, before: fc.nat(22) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('drop' as const), partition: partitionOf }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('reload' as const), partition: partitionOf }) },
);
/** Like expect, but cheap enough to call for every id. */
function demand(holds: boolean, n: number): void {
  if (!holds) throw new Error(`id ${n} is not known as the map knows it`);
}

interface Known {
  readonly partition: number;
  readonly at: number;
}

describe('ids seen', () => {
  it.each([
    ['crowded into few slots', crowded],
    ['spread by their hash', spread],
  ])('and %s are known as a map would know them, while chunks are forgotten, dropped and loaded', (_does, idOf) => {
    const run = (commands: readonly (typeof command extends fc.Arbitrary<infer T> ? T : never)[]) => {
      const factIds = new FactIds();
      const model = new Map<number, Known>();
      for (const each of commands) {
        switch (each.does) {
          case 'add':
            for (let n = each.from; n < each.from + each.count; n++) {
              const known = model.has(n);
              demand(factIds.check(idOf(n), contentOf(n)) === (known ? 'duplicate' : 'new'), n);
              demand(factIds.check(idOf(n), contentOf(n + 1)) === (known ? 'conflict' : 'new'), n);
              if (!known) {
                factIds.add(each.partition, idOf(n), contentOf(n), each.at);
                model.set(n, { partition: each.partition, at: each.at });
              }
            }
            break;
          case 'forget': {
            const full = factIds
              .chunksOf(each.partition)
              .filter((chunk) => chunk.used === CHUNK_IDS && chunk.latest < each.before);
            const forgotten = factIds.forgetBefore(each.partition, each.before);
            expect(forgotten).toBe(full.length * CHUNK_IDS);
            const gone = [...model].filter(([n]) => factIds.check(idOf(n), contentOf(n)) === 'new');
            expect(gone.length).toBe(forgotten);
            for (const [n, known] of gone) {
              demand(known.partition === each.partition && known.at < each.before, n);
              model.delete(n);
            }
            break;
          }
          case 'drop':
            factIds.drop(each.partition);
            expect(factIds.chunksOf(each.partition)).toEqual([]);
            for (const [n, { partition }] of model) if (partition === each.partition) model.delete(n);
            break;
          case 'reload': {
            const saved = factIds
              .chunksOf(each.partition)
              .map((chunk) => ({ words: chunk.words.slice(0, chunk.used * 4), latest: chunk.latest }));
            factIds.drop(each.partition);
            for (const { words, latest } of saved) factIds.load(each.partition, words, latest);
            break;
          }
        }
        expect(factIds.size).toBe(model.size);
      }
      for (const n of model.keys()) demand(factIds.check(idOf(n), contentOf(n)) === 'duplicate', n);
      for (let n = 0; n < 10_500; n += 7) demand((factIds.check(idOf(n), contentOf(n)) === 'new') === !model.has(n), n);
    };
    fc.assert(fc.property(fc.array(command, { minLength: 4, maxLength: 20 }), run), { numRuns: 25 });
  });
});
