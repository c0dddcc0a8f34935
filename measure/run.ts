/** Plays events through the real book and the real observer in virtual time, and records which alarms are opened. */

import { AnomalyObserver } from '../actors/anomaly/observer.ts';
import { foldDecision, foldFact } from '../actors/partition/fold.ts';
import { Partition } from '../actors/partition/partition.ts';
import type { AnomalyParameters } from '../config/anomalies.ts';
import type { AnomalyKind } from '../streams/contract/anomaly-kinds.ts';
import type { Fact } from '../streams/fact/fact.ts';
import type { StockDecision } from '../streams/journal/stock-decisions.ts';
import { DAY, DC, type Event, MINUTE } from './world.ts';

/** An alarm and the time it was opened, in microseconds since 1970. */
export interface Opening {
  readonly kind: AnomalyKind;
  readonly sku: string | undefined;
  readonly location: string | undefined;
  readonly device: string | undefined;
  readonly at: number;
  readonly says: string;
}
export interface Played {
  readonly openings: readonly Opening[];
  readonly facts: number;
  readonly decisions: number;
  /** Sum over all days of the number of stock keys in the book. */
  readonly keyDays: number;
  readonly days: number;
  readonly bytesPerKey: number;
}

const TICK = 15 * MINUTE;
/** A delivery is made before a sale would leave fewer units than this. */
const LEAST = 25;

/** @param from time before which openings and days are not counted, because the detectors are still learning */
export function play(events: readonly Event[], parameters: AnomalyParameters, from: number): Played {
  const partition = new Partition(0);
  const observer = new AnomalyObserver(0, { parameters, laneTimeMs: 3 * 86_400_000 });
  partition.observer = observer;
  const { book } = partition;
  const open = new Set<string>();
  const openings: Opening[] = [];
  let [facts, decisions, keyDays, days] = [0, 0, 0, 0];
  let tickAt = (events[0] as Event).at;
  const note = (at: number) => {
    for (const [id, alarm] of observer.takeChanged()) {
      if (alarm === undefined) open.delete(id);
      else if (!open.has(id)) {
        open.add(id);
        const { kind, sku, location, figures, says } = alarm;
        if (at >= from) openings.push({ kind, sku, location, device: figures.device as string | undefined, at, says });
      }
    }
  };
  const tick = () => {
    observer.hear(observer.takeHeard());
    observer.tick(tickAt / 1000);
    note(tickAt);
    if (tickAt % DAY < TICK && tickAt >= from) {
      keyDays += book.keyCount;
      days += 1;
    }
    tickAt += TICK;
  };
  for (const event of events) {
    while (tickAt <= event.at) tick();
    const made = typeof event.make === 'function' ? event.make(book) : event.make;
    if (made === undefined) continue;
    if (isDecision(made)) {
      decisions += 1;
      foldDecision(partition, made);
    } else {
      facts += 1;
      deliver(partition, made, event.at);
      foldFact(partition, made, event.at);
    }
    note(event.at);
  }
  return { openings, facts, decisions, keyDays, days, bytesPerKey: observer.keep().length / book.keyCount };
}

function isDecision(made: Fact | StockDecision): made is StockDecision {
  return 'kind' in made;
}

/** Makes the deliveries that the data leaves out. Units removed by an injection are not replaced. */
function deliver(partition: Partition, fact: Fact, at: number): void {
  const taken = fact.type === 'sale' ? fact.qty : fact.type === 'adjustment' ? -fact.delta : 0;
  if (taken <= 0 || fact.location !== DC || fact.id.startsWith('inject-')) return;
  const sellable = partition.book.findKey(fact.sku, DC)?.sellable ?? 0;
  if (sellable - taken >= LEAST) return;
  const qty = taken - sellable + LEAST * 4;
  const receipt: Fact = {
    type: 'receipt',
    id: `in-${fact.id}`,
    sku: fact.sku,
    location: DC,
    at: at - MINUTE,
    qty,
    damaged: 0,
  };
  foldFact(partition, receipt, at - 1);
}
