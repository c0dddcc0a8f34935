/** Memory and time of a million policies, each for one SKU at all locations. Prints and bounds both. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { ANY, type PolicyFields, PolicyLevels } from '../../../actors/policy/levels.ts';
import { NO_POLICY } from '../../../actors/policy/policy.ts';

const MILLION = 1_000_000;
/** Bytes that a policy may take, with the name of its SKU. */
const EQUAL_BYTES = 110;
const DIFFERENT_BYTES = 300;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** A record as the bucket holds it, so that its strings are made as those of a node are. */
const record = (i: number, fields: PolicyFields) => JSON.stringify({ sku: `SKU-${i}`, location: ANY, set: fields });

it.each([
  ['of a hundred different ones', EQUAL_BYTES, (i: number) => ({ safetyStock: i % 100 })],
  [
    'that are all different',
    DIFFERENT_BYTES,
    (i: number) => ({ safetyStock: i % 7, reorder: { min: i, max: i + 9, pack: 6 } }),
  ],
])('a million policies %s take few bytes each', (_, most, fieldsAt) => {
  const before = heapBytes();
  const began = process.cpuUsage();
  const levels = new PolicyLevels();
  for (let i = 0; i < MILLION; i++) {
    const { sku, location, set } = JSON.parse(record(i, fieldsAt(i)));
    levels.set(sku, location, set);
  }
  const { user, system } = process.cpuUsage(began);
  const bytes = (heapBytes() - before) / MILLION;
  console.log(`${bytes.toFixed(0)} bytes a policy, ${((user + system) / MILLION).toFixed(2)} µs to set one`);
  expect(levels.size).toBe(MILLION);
  expect(bytes).toBeLessThan(most);
  const set = heapBytes();
  // Ten million keys of SKUs with a policy, and as many of SKUs without one.
  for (let i = 0; i < MILLION; i++)
    for (let shop = 0; shop < 10; shop++)
      if (levels.of(`none-${i}`, `shop-${shop}`) !== NO_POLICY) throw new Error('it has a policy');
  expect((heapBytes() - set) / MILLION).toBeLessThan(1);
  for (let i = 0; i < MILLION; i++)
    if (levels.of(`SKU-${i}`, `shop-${i % 50}`).safetyStock !== fieldsAt(i).safetyStock) throw new Error('another one');
  const cachedMiB = (heapBytes() - set) / 2 ** 20;
  console.log(`${cachedMiB.toFixed(1)} MiB of merged policies are cached`);
  expect(cachedMiB).toBeLessThan(40);
  // It must be alive until all is measured.
  expect(levels.size).toBe(MILLION);
});
