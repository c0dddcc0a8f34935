/**
 * The stored forms of counts. golden/page-counts.hex is a page of a version that keeps the count before the latest one, as this one does
 * (stored-supply.test.ts). golden/page-transfers.hex is one of the version before, which did not. Both must stay readable.
 */
import { describe, expect, it } from 'vitest';
import type { Partition } from '../../../actors/partition/partition.ts';
import { applyFact } from '../../../actors/stock/evolve.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import { closed, count, type Input, micros, receipt, sale, shipped, variancesIn, viewsOf } from '../stock/given.ts';
import { differenceOf, folded, goldenPage, loaded, pageOf } from './pages.ts';

const at = (location: string, id: string) => ({ location, id });
const moved = (fact: StockFact, own: string): StockFact => ({ ...fact, own: micros(own) });
const NOW = [
  count('08:00', 5, at('opened', 'f-1')),
  receipt('07:00', 9, at('first', 'f-2')),
  count('08:00', 6, at('first', 'f-3')),
  count('08:00', 20, at('twice', 'f-4')),
  sale('08:10', 3, at('twice', 'f-5')),
  sale('08:40', 1, at('twice', 'f-6')),
  count('09:00', 12, at('twice', 'f-7')),
  sale('09:10', 2, at('twice', 'f-8')),
  moved(count('09:00', 30, at('moved', 'f-9')), '11:00'),
  moved(sale('09:00', 4, at('moved', 'f-10')), '11:30'),
  moved(count('09:00', 20, at('moved', 'f-11')), '12:00'),
  shipped('10:00', 4, { ...at('twice', 'f-12'), from: 'twice' }),
  closed('10:30', 'corrected', 1, { ...at('twice', 'f-13'), from: 'twice' }),
];
const VARIANCES = ['mug/first 6 9', 'mug/moved 20 26', 'mug/opened 5 5', 'mug/twice 12 16'];

function continued(partition: Partition, facts: readonly Input[]): Partition {
  for (const fact of facts) applyFact(partition.book, fact as StockFact);
  return partition;
}

describe('a page that has the count before the latest one', () => {
  it('is read from the golden bytes, and written as them again', () => {
    const kept = loaded(goldenPage('page-counts.hex'));
    expect(pageOf(kept).toString('hex')).toBe(goldenPage('page-counts.hex').toString('hex'));
    expect(variancesIn(kept.book)).toEqual(VARIANCES);
    expect(differenceOf(kept, folded(NOW))).toEqual([]);
  });

  it.each([
    ['a late sale', sale('08:35', 4, at('twice', 'n')), 'mug/twice 12 12'],
    ['a late count', count('08:35', 14, at('twice', 'n')), 'mug/twice 12 13'],
    ['a next count', count('11:00', 9, at('twice', 'n')), 'mug/twice 9 7'],
    ['a late count of a first one', count('07:59', 8, at('first', 'n')), 'mug/first 6 8'],
    ['a next count of what was moved', moved(count('09:00', 19, at('moved', 'n')), '12:30'), 'mug/moved 19 20'],
  ])('goes on with %s as if it had not been stored', (_, fact, variance) => {
    const kept = continued(loaded(goldenPage('page-counts.hex')), [fact]);
    expect(variancesIn(kept.book)).toContain(variance);
    expect(differenceOf(kept, folded([...NOW, fact]))).toEqual([]);
    expect(differenceOf(loaded(pageOf(kept)), folded([...NOW, fact]))).toEqual([]);
  });

  it('differs from a book with another count before the latest one', () => {
    const other = NOW.map((fact) => (fact.id === 'f-4' ? { ...fact, counted: 21 } : fact));
    expect(viewsOf(folded(other).book)).toEqual(viewsOf(folded(NOW).book));
    expect(differenceOf(folded(NOW), folded(other))).toMatchObject([{ what: expect.stringMatching(/^mug at twice/) }]);
  });
});

describe('a page of the version before', () => {
  const kept = () => loaded(goldenPage('page-transfers.hex'));

  it('says nothing of a variance until the next count, also after it was stored again', () => {
    for (const partition of [kept(), loaded(pageOf(kept()))]) {
      expect(variancesIn(partition.book)).toEqual([]);
      // This may be earlier than the count before the latest one, which is not known.
      expect(variancesIn(continued(partition, [count('08:20', 1)]).book)).toEqual([]);
      expect(variancesIn(continued(partition, [sale('14:00', 6), count('15:00', 60)]).book)).toEqual(['mug/dc 60 67']);
    }
  });

  it('is no different from the streams, which know more', () => {
    const once = continued(kept(), [count('15:00', 60, { id: 'n' })]);
    const stored = loaded(pageOf(once));
    expect(differenceOf(stored, once)).toEqual([]);
    expect(differenceOf(kept(), continued(kept(), [count('08:20', 1)]))).toEqual([]);
  });
});

it('counts ahead of time that older rules believed keep their order when they are moved', () => {
  const facts = [count('12:00', 30, { id: 'a' }), sale('12:30', 4, { id: 'b' }), count('13:00', 20, { id: 'c' })];
  const partition = loaded(pageOf(folded(facts)), micros('11:00'));
  expect(variancesIn(partition.book)).toEqual(['mug/dc 20 26']);
  expect(variancesIn(continued(partition, [sale('10:00', 9), count('11:30', 18)]).book)).toEqual(['mug/dc 18 20']);
});
