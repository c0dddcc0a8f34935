import { expect, test } from 'vitest';
import { parseFact } from '../../../streams/fact/fact.ts';
import { deriveFacts, expectedStock } from './complete-journey.ts';
import { journeyFile } from './given/data-folder.ts';

const file = journeyFile();
if (file === undefined) console.log('HOLDFAST_DATA names no data set: complete-journey is not read');

test.skipIf(file === undefined)(
  'complete-journey derives to sales that sum to the stock expected on another way',
  async () => {
    const expected = expectedStock(file ?? '');
    const facts = deriveFacts(file ?? '');
    const sellable = new Map<string, number>();
    const ids = new Set<string>();
    for await (const value of facts) {
      const parsed = parseFact(value);
      if (!parsed.ok) throw new Error(parsed.message);
      const { fact } = parsed;
      if (fact.type !== 'sale') throw new Error(`a ${fact.type}`);
      const key = `${fact.location} ${fact.sku}`;
      sellable.set(key, (sellable.get(key) ?? 0) - fact.qty);
      ids.add(fact.id);
    }
    expect(sellable).toEqual(expected.sellable);
    expect([ids.size, facts.skipped]).toEqual([expected.sales, expected.skipped]);
    expect([expected.sales + expected.skipped, expected.skipped]).toEqual([75_000, 416]);
  },
);
