/** A month of real sales at tills whose clocks are wrong by up to three days, in memory. */
import { expect, it } from 'vitest';
import { AnomalyObserver } from '../../../actors/anomaly/observer.ts';
import { asOfClock } from '../../../actors/idempotency/stored-fact.ts';
import { foldFact } from '../../../actors/partition/fold.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { findClocks } from '../../../dashboards/query/clock-queries.ts';
import { readFacts } from '../../../src/replay/read.ts';
import { type Fact, parseFact } from '../../../streams/fact/fact.ts';
import { hash64 } from '../../../streams/hash.ts';
import { SHIPPED_MONTH } from './given/data-folder.ts';

const MINUTE = 60_000_000;
const DAY = 1_440 * MINUTE;
const RULE = { version: 3, slackMs: 300_000 };
/** How far each till's clock is off, in microseconds. */
const OFF = new Map(
  [-3 * DAY, -DAY, -6 * MINUTE, -4 * MINUTE, 0, 4 * MINUTE, 6 * MINUTE, 2 * DAY, 3 * DAY].map((off, i) => [
    `till-${i}`,
    off,
  ]),
);

async function month(): Promise<Fact[]> {
  const facts: Fact[] = [];
  for await (const { entry } of readFacts(SHIPPED_MONTH, { format: 'online-retail' })) {
    if (entry.kind !== 'fact') continue;
    const invoice = String(entry.fact.id).split(':')[0] as string;
    const parsed = parseFact({ ...entry.fact, device: `till-${hash64(invoice).lo % OFF.size}` });
    if (parsed.ok) facts.push(parsed.fact);
  }
  return facts.sort((a, b) => a.at - b.at);
}

/** Stores each fact a second after it happened. @param offOf how far the clock of a fact's device is off */
function played(facts: readonly Fact[], offOf: (fact: Fact) => number) {
  const partition = new Partition(0);
  const observer = new AnomalyObserver(0, { laneTimeMs: 0 });
  partition.observer = observer;
  let nextHour = 0;
  for (const fact of facts) {
    const recordedAt = fact.at + 1_000_000;
    if (recordedAt >= nextHour) {
      observer.hear(observer.takeHeard());
      nextHour = recordedAt + 60 * MINUTE;
    }
    foldFact(partition, asOfClock(RULE, { recordedAt }, { ...fact, at: fact.at + offOf(fact) }), recordedAt);
  }
  observer.hear(observer.takeHeard());
  const stock = [...partition.book.skus.values()].flatMap(({ name, keys }) =>
    keys.map(({ location, sellable }) => [name, location, sellable] as const),
  );
  return { stock, observer, book: partition.book };
}

it('ends in the same stock as with true clocks, and says which tills are ahead and which are behind', async () => {
  const facts = await month();
  const [right, wrong] = [played(facts, () => 0), played(facts, ({ device = '' }) => OFF.get(device) ?? 0)];
  expect(wrong.stock).toEqual(right.stock);
  expect(wrong.stock.length).toBeGreaterThan(2_000);
  const says = ({ book, observer }: typeof wrong) =>
    findClocks(book, observer.clocks(), { lag: RULE.slackMs * 1000, movedTo: null }).sources.map(
      ({ device, ahead, lag }) => [device, Math.round((ahead > 0 ? ahead : -lag) / MINUTE)],
    );
  const isOff = ([, off]: [string, number]) => Math.abs(off) > 5 * MINUTE;
  expect(says(right)).toEqual([]);
  const named = [...OFF].filter(isOff).map(([device, off]) => [device, off / MINUTE]);
  expect(new Map(says(wrong) as [string, number][])).toEqual(new Map(named as [string, number][]));
  const alarms = [...wrong.observer.open()].filter(([, { kind }]) => kind === 'clock_ahead');
  expect(new Set(alarms.map(([, { figures }]) => figures.device))).toEqual(new Set(['till-6', 'till-7', 'till-8']));
}, 60_000);
