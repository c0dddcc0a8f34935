/** What callers see of a reservation that has ended, and for how long. */
import { expect, it } from 'vitest';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { maintain, reservationMemories } from '../../../actors/partition/forgetting.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { answerOf, type Whole } from '../../../actors/reservation/answer.ts';
import { stands } from '../stock/given.ts';

const HOUR_MS = 3_600_000;

it.each([
  ['released', { releasedAtMs: 5_000, expiredAtMs: 0 }],
  ['expired', { releasedAtMs: 0, expiredAtMs: 5_000 }],
])('the lines of a reservation that is %s are shown until an hour after its end', (status, end) => {
  const line = {
    index: 0,
    name: undefined,
    sku: 's',
    location: 'x',
    qty: 2,
    fulfilled: 1,
    partition: 0,
    epoch: 1,
    seq: 1,
  };
  const whole: Whole = {
    id: 'r',
    attempt: [1, 1],
    expiresAtMs: 5_000,
    confirmedAtMs: 0,
    shortages: [],
    lines: [line],
    moved: 1,
    ...end,
  };
  const at = (nowMs: number) => {
    const answer = answerOf(whole, nowMs);
    return [answer.status, answer.lines.length];
  };
  expect(at(5_000)).toEqual([status, 1]);
  expect(at(5_000 + HOUR_MS - 1)).toEqual([status, 1]);
  expect(at(5_000 + HOUR_MS)).toEqual([status, 0]);
});

it('the cancellation of an unknown id is remembered as long as a reservation that has ended', () => {
  const partition = new Partition(0);
  partition.books.evolve(stands('cancelled', 1, [], { releasedAtMs: 1_000, participants: [] }));
  partition.books.evolve(stands('released', 2, [{ qty: 1 }], { releasedAtMs: 1_000 }));
  const rules = { horizonMs: 24 * HOUR_MS, reservationMemoryMs: 1, caughtUp: true };
  const remembered = (nowMs: number) => {
    maintain(partition, new FactIds(), { ...rules, nowMs });
    return [...partition.book.coordinatorEntries.keys()];
  };
  const { ended } = reservationMemories(rules);
  expect(remembered(1_000 + ended)).toEqual(['cancelled', 'released']);
  expect(remembered(1_001 + ended)).toEqual([]);
});
