/**
 * The world in which the detectors are measured. It has the real sales, returns and adjustments of the months. Generated events add the
 * business that the data leaves out: transfers that arrive, cycle counts with small errors, and holds that are confirmed, released or
 * expire. Deliveries come before the stock runs out (run.ts), and six tills report the facts. The generated part comes from a seed and has
 * no anomaly in it.
 */
import type { StockBook } from '../actors/stock/book.ts';
import { readFacts } from '../src/replay/read.ts';
import { type Fact, parseFact } from '../streams/fact/fact.ts';
import { hash64 } from '../streams/hash.ts';
import type { Granted, StockDecision } from '../streams/journal/stock-decisions.ts';
import type { Chance } from './chance.ts';

export const DC = 'uk-dc';
export const HUB = 'hub';
export const MINUTE = 60_000_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const TILLS = Array.from({ length: 6 }, (_, i) => `till-${i + 1}`);

/** An event that the streams receive at a moment, in microseconds since 1970. Content that depends on the stock is made at that moment. */
export interface Event {
  at: number;
  readonly make: Fact | ((book: StockBook) => Fact | StockDecision | undefined);
}

/** The real facts of the files in order of time. All facts of one invoice have the same till. */
export async function realFacts(files: readonly string[]): Promise<Fact[]> {
  const facts: Fact[] = [];
  for (const file of files) {
    for await (const { entry } of readFacts(file, { format: 'online-retail' })) {
      if (entry.kind !== 'fact') continue;
      const invoice = String(entry.fact.id).split(':')[0] as string;
      const device = TILLS[hash64(invoice).lo % TILLS.length];
      const parsed = parseFact({ ...entry.fact, device });
      if (parsed.ok) facts.push(parsed.fact);
    }
  }
  return facts.sort((a, b) => a.at - b.at);
}

/** The real facts as events, a few seconds after they happened. */
export function reported(facts: readonly Fact[], chance: Chance): Event[] {
  return facts.map((fact) => ({ at: fact.at + chance.whole(1, 5) * 1_000_000, make: fact }));
}

/** The other business of each day. @param skip whether a key must not be counted at a time */
export function business(facts: readonly Fact[], chance: Chance, skip: (sku: string, at: number) => boolean): Event[] {
  const events: Event[] = [];
  const sold: string[] = [];
  const known = new Set<string>();
  let day = 0;
  for (const fact of facts) {
    if (fact.type !== 'sale') continue;
    if (!known.has(fact.sku)) {
      known.add(fact.sku);
      sold.push(fact.sku);
    }
    const today = Math.floor(fact.at / DAY);
    if (today === day) continue;
    day = today;
    const morning = today * DAY + 9 * HOUR;
    for (let i = 0; i < 30; i++)
      events.push(count(`count-${day}-${i}`, chance.pick(sold), morning + chance.whole(0, 400) * MINUTE, chance, skip));
    for (let i = 0; i < 20; i++)
      events.push(...transfer(`move-${day}-${i}`, chance.pick(sold), morning + chance.whole(0, 400) * MINUTE, chance));
    for (let i = 0; i < 120; i++)
      events.push(...hold(`hold-${day}-${i}`, chance.pick(sold), morning + chance.whole(0, 500) * MINUTE, chance));
  }
  return events;
}

/** A count with a small error, whose variance is 2 % of the stock. */
function count(id: string, sku: string, at: number, chance: Chance, skip: (sku: string, at: number) => boolean): Event {
  const noise = chance.normal();
  return {
    at: at + 2_000_000,
    make: (book) => {
      const sellable = book.findKey(sku, DC)?.sellable;
      if (sellable === undefined || sellable <= 0 || skip(sku, at)) return undefined;
      const counted = Math.max(0, sellable + Math.round(noise * Math.sqrt(0.02 * sellable)));
      return { type: 'count', id, sku, location: DC, at, counted };
    },
  };
}

export function shipment(id: string, sku: string, at: number, qty: number, eta: number): Event[] {
  const common = { sku, transfer: id, from: HUB, to: DC, qty, damaged: 0, eta };
  return [
    {
      at: at - MINUTE,
      make: { type: 'receipt', id: `${id}-in`, sku, location: HUB, at: at - MINUTE, qty, damaged: 0 },
    },
    { at, make: { ...common, type: 'transfer', id: `${id}-s`, location: HUB, at, phase: 'shipped' } },
  ];
}

export function arrival(id: string, sku: string, at: number, qty: number, damaged: number): Event {
  const make: Fact = {
    type: 'transfer',
    id: `${id}-r`,
    sku,
    location: DC,
    at,
    transfer: id,
    from: HUB,
    to: DC,
    qty,
    damaged,
    eta: undefined,
    phase: 'received',
  };
  return { at, make };
}

/** A transfer that arrives within two hours of its date, early or late. */
function transfer(id: string, sku: string, at: number, chance: Chance): Event[] {
  const eta = at + 2 * DAY;
  return [...shipment(id, sku, at, 24, eta), arrival(id, sku, eta + chance.whole(-120, 120) * MINUTE, 24, 0)];
}

/** One basket. Half of them expire and a fifth are released. The others are confirmed, and leave the book a day later. */
function hold(id: string, sku: string, at: number, chance: Chance): Event[] {
  const end = chance.next();
  const grant = granted(id, sku, at, 'web', 'order', () => chance.whole(1, 2));
  if (end < 0.5) return [grant, step(id, 'expired', at + 15 * MINUTE)];
  if (end < 0.7) return [grant, step(id, 'released', at + 5 * MINUTE)];
  return [grant, step(id, 'confirmed', at + 5 * MINUTE), step(id, 'released', at + DAY)];
}

export function granted(
  id: string,
  sku: string,
  at: number,
  channel: string,
  purpose: string,
  units: (sellable: number) => number,
): Event {
  return {
    at,
    make: (book): Granted | undefined => {
      const key = book.findKey(sku, DC);
      if (key === undefined) return undefined;
      const qty = units(key.sellable);
      if (qty < 1 || key.sellable - key.held - key.allocated < qty) return undefined;
      const line = { index: 0, sku, location: DC, qty, partition: 0, seq: 0 };
      const atMs = at / 1000;
      const where = { coordinator: 0, participants: [0], parts: [[0, 1]] as const };
      return {
        kind: 'granted',
        id,
        content: { hi: 1, lo: 1 },
        channel,
        purpose,
        atMs,
        expiresAtMs: atMs + 900_000,
        ...where,
        lines: [line],
        shortages: [],
      };
    },
  };
}

/** Makes nothing if the grant was refused. */
export function step(id: string, kind: 'confirmed' | 'released' | 'expired', at: number): Event {
  return { at, make: (book) => (book.parts.has(id) ? { kind, id, atMs: at / 1000, parts: [[0, 1]] } : undefined) };
}
