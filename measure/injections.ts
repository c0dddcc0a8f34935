/**
 * Injected anomalies: the changes to the world, and the labels that should be detected. Each injection is one way in which an anomaly kind
 * arises in a shop. Its size, place and time come from a seed.
 */
import type { AnomalyKind } from '../streams/contract/anomaly-kinds.ts';
import type { Fact, Sale } from '../streams/fact/fact.ts';
import type { Chance } from './chance.ts';
import { arrival, DAY, DC, type Event, granted, HOUR, MINUTE, shipment, step, TILLS } from './world.ts';

export interface Label {
  readonly kind: AnomalyKind;
  /** What happened, where a kind has several causes. */
  readonly cause?: string;
  readonly sku?: string;
  readonly location: string;
  readonly device?: string;
  /** Interval in which the anomaly must be opened, in microseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** Days that a till reports as usual between two injections. */
const TILL_REST = 4;
/**
 * What a wrong price is multiplied by. Another currency is that of a neighbour whose unit is smaller or greater (PLN, DKK and SEK in pounds).
 * The mix-up of pounds with euros or dollars is within what a discount is, so it is not injected.
 */
const WRONG_PRICES: Readonly<Record<string, readonly number[]>> = {
  'a slipped decimal point': [10, 0.1],
  'a wrong list': [5, 0.2],
  'no price': [0],
  'another currency': [4.6, 8.6, 10.4, 1 / 4.6, 1 / 8.6, 1 / 10.4],
};

/** The changes to the real facts, and the added events. */
export class Injections {
  readonly labels: Label[] = [];
  readonly events: Event[] = [];
  /** Real facts that are left out, arrive late or have other content. */
  readonly removed = new Set<Fact>();
  readonly delayed = new Map<Fact, number>();
  readonly replaced = new Map<Fact, Fact>();
  readonly #chance: Chance;
  readonly #days: readonly number[];
  readonly #sales = new Map<string, Sale[]>();
  readonly #byTill = new Map<string, Fact[]>();
  readonly #used = new Set<string>();
  /** Days on which a till is silent or late. */
  readonly #busy = new Set<string>();
  #count = 0;

  /** @param days open days on which injections may happen, in days since 1970 */
  constructor(facts: readonly Fact[], days: readonly number[], chance: Chance) {
    this.#chance = chance;
    this.#days = days;
    for (const fact of facts) {
      if (fact.type === 'sale') {
        const sales = this.#sales.get(fact.sku);
        if (sales === undefined) this.#sales.set(fact.sku, [fact]);
        else sales.push(fact);
      }
      const till = fact.device ?? '';
      const some = this.#byTill.get(till);
      if (some === undefined) this.#byTill.set(till, [fact]);
      else some.push(fact);
    }
  }

  /** Whether no cycle count may happen for a key at a time, because it would reveal an injection. */
  uncounted = (sku: string, at: number): boolean =>
    this.labels.some((label) => label.sku === sku && at >= label.from - DAY && at <= label.until) ||
    this.#isUnreported(sku, at);

  /** Whether units have left the shelf in facts that a till reports only later. A count differs from the book until then. */
  #isUnreported(sku: string, at: number): boolean {
    return [...this.delayed].some(([fact, until]) => fact.sku === sku && fact.at <= at && at < until);
  }

  inject(kind: AnomalyKind): void {
    this.#count += 1;
    const id = `inject-${this.#count}`;
    switch (kind) {
      case 'negative_stock':
        this.#negative(id);
        return;
      case 'shortfall':
        this.#shortfall(id);
        return;
      case 'count_variance':
        this.#variance(id);
        return;
      case 'phantom_stock':
        this.#phantom();
        return;
      case 'sales_spike':
        this.#spike(id);
        return;
      case 'return_spike':
        this.#returns(id);
        return;
      case 'transfer_overdue':
      case 'transfer_short':
        this.#transfer(id, kind);
        return;
      case 'receipt_short':
        this.#receipt(id);
        return;
      case 'price_deviation':
        this.#price();
        return;
      case 'late_facts':
        this.#late();
        return;
      case 'device_silent':
        this.#silent();
        return;
      case 'reservation_hoarding':
        this.#hoard(id);
        return;
      case 'reservation_unknown':
      case 'over_fulfilled':
      case 'promise_late':
      case 'parked_facts':
      case 'pickup_overdue':
      case 'task_overdue':
        throw new Error(`${kind} has no facts yet`);
      case 'transfer_over':
      case 'receipt_overdue':
      case 'receipt_unmatched':
      case 'clock_ahead':
        throw new Error(`${kind} follows from a rule, so there is nothing to measure`);
    }
  }

  /** A delivery was not booked, so more is sold than the book has. */
  #negative(id: string): void {
    const { sku, at } = this.#place(1);
    const over = this.#chance.whole(1, 20);
    this.events.push({
      at,
      make: (book) => ({
        type: 'sale',
        id,
        sku,
        location: DC,
        at,
        qty: Math.max(0, book.findKey(sku, DC)?.sellable ?? 0) + over,
        reservation: undefined,
      }),
    });
    this.#label('negative_stock', sku, at, at + HOUR);
  }

  /** Units are promised, and then part of the stock turns out broken. */
  #shortfall(id: string): void {
    const { sku, at } = this.#place(1);
    this.events.push(
      granted(id, sku, at - HOUR, 'web', 'order', (sellable) => Math.ceil(sellable / 2)),
      step(id, 'confirmed', at - HOUR + MINUTE),
    );
    this.events.push({
      at,
      make: (book) => {
        const key = book.findKey(sku, DC);
        if (key === undefined || key.allocated < 2) return undefined;
        const left = Math.floor((key.held + key.allocated) / 2);
        return {
          type: 'adjustment',
          id: `${id}-a`,
          sku,
          location: DC,
          at,
          delta: Math.min(-1, left - key.sellable),
          bucket: 'sellable',
        };
      },
    });
    this.events.push(step(id, 'released', at + DAY));
    this.#label('shortfall', sku, at, at + HOUR);
  }

  /** A fifth to two thirds of the stock is missing, and a count reveals it. */
  #variance(id: string): void {
    const { sku, at } = this.#place(1);
    const share = this.#chance.between(0.2, 0.66);
    this.events.push({
      at,
      make: (book) => {
        const sellable = book.findKey(sku, DC)?.sellable ?? 0;
        return sellable < 1
          ? undefined
          : { type: 'count', id, sku, location: DC, at, counted: Math.floor(sellable * (1 - share)) };
      },
    });
    this.#label('count_variance', sku, at, at + HOUR);
  }

  /** The stock is not where the book says. A SKU that sold about once a day in the last four weeks sells nothing for three weeks. */
  #phantom(): void {
    const { sku, at } = this.#place(28);
    for (const sale of this.#sales.get(sku) as Sale[])
      if (sale.at >= at && sale.at < at + 21 * DAY) this.removed.add(sale);
    this.#label('phantom_stock', sku, at, at + 21 * DAY);
  }

  /** Eight to twenty times the usual number of baskets in an afternoon. */
  #spike(id: string): void {
    const { sku, at, before } = this.#place(8);
    const times = Math.max(12, Math.round((before / 24) * this.#chance.between(8, 20)));
    for (let i = 0; i < times; i++) {
      const moment = at + Math.floor((i * 5 * HOUR) / times);
      this.events.push({
        at: moment,
        make: {
          type: 'sale',
          id: `${id}-${i}`,
          sku,
          location: DC,
          at: moment,
          qty: this.#chance.whole(1, 4),
          reservation: undefined,
        },
      });
    }
    this.events.push({
      at: at - MINUTE,
      make: { type: 'receipt', id: `${id}-in`, sku, location: DC, at: at - MINUTE, qty: times * 5, damaged: 0 },
    });
    this.#label('sales_spike', sku, at, at + 8 * HOUR);
  }

  /** A bad batch: four to ten customers return the SKU on one day. */
  #returns(id: string): void {
    const { sku, at } = this.#place(8);
    const times = this.#chance.whole(4, 10);
    for (let i = 0; i < times; i++) {
      const moment = at + Math.floor((i * 5 * HOUR) / times);
      this.events.push({
        at: moment,
        make: { type: 'return', id: `${id}-${i}`, sku, location: DC, at: moment, qty: 1, disposition: 'inspect' },
      });
    }
    this.#label('return_spike', sku, at, at + 8 * HOUR);
  }

  /** A transfer that arrives four days late, or with a tenth to two thirds missing. */
  #transfer(id: string, kind: 'transfer_overdue' | 'transfer_short'): void {
    const { sku, at } = this.#place(1);
    const eta = at + 2 * DAY;
    const qty = this.#chance.whole(12, 60);
    this.events.push(...shipment(id, sku, at, qty, eta));
    if (kind === 'transfer_overdue') {
      this.events.push(arrival(id, sku, eta + 4 * DAY, qty, 0));
      this.#label(kind, sku, eta, eta + DAY);
      return;
    }
    this.events.push(arrival(id, sku, eta, Math.floor(qty * (1 - this.#chance.between(0.1, 0.66))), 0));
    this.#label(kind, sku, eta, eta + DAY);
  }

  /** A tenth to half of a receipt is damaged. */
  #receipt(id: string): void {
    const { sku, at } = this.#place(1);
    const qty = this.#chance.whole(12, 60);
    const damaged = Math.ceil(qty * this.#chance.between(0.1, 0.5));
    this.events.push({ at, make: { type: 'receipt', id, sku, location: DC, at, qty: qty - damaged, damaged } });
    this.#label('receipt_short', sku, at, at + HOUR);
  }

  /** One to three sales have a price that is wrong by the same cause, as a till would round it. */
  #price(): void {
    const { sku, at } = this.#place(20);
    const cause = this.#chance.pick(Object.keys(WRONG_PRICES));
    const factor = this.#chance.pick(WRONG_PRICES[cause] as readonly number[]);
    // A sale that a broken till does not report, or reports a day later, has no price to be found now.
    const sales = (this.#sales.get(sku) as Sale[]).filter(
      (sale) => sale.at >= at && Number(sale.unitPrice) > 0 && !this.removed.has(sale) && !this.delayed.has(sale),
    );
    const wrong = sales.slice(0, this.#chance.whole(1, 3));
    const [first, last] = [wrong[0], wrong.at(-1)];
    if (first === undefined || last === undefined) return;
    for (const sale of wrong) {
      const price = factor === 0 ? 0 : Math.max(0.01, Number(sale.unitPrice) * factor);
      this.replaced.set(sale, { ...sale, unitPrice: String(Math.round(price * 100) / 100) });
    }
    this.labels.push({ kind: 'price_deviation', cause, sku, location: DC, from: first.at, until: last.at + HOUR });
  }

  /** A till is offline from one morning to the next and then sends everything at once. */
  #late(): void {
    const place = this.#till(2);
    if (place === undefined) return;
    const { till, morning } = place;
    const until = morning + DAY;
    for (const fact of this.#byTill.get(till) as Fact[])
      if (fact.at >= morning && fact.at < until) this.delayed.set(fact, until);
    this.labels.push({ kind: 'late_facts', location: DC, device: till, from: until, until: until + HOUR });
  }

  /** A till is broken for a week, and its sales do not happen. */
  #silent(): void {
    const place = this.#till(8);
    if (place === undefined) return;
    const { till, morning } = place;
    for (const fact of this.#byTill.get(till) as Fact[])
      if (fact.at >= morning && fact.at < morning + 7 * DAY) this.removed.add(fact);
    this.labels.push({ kind: 'device_silent', location: DC, device: till, from: morning, until: morning + 7 * DAY });
  }

  /** Either a dozen holds of one channel over most of the stock, or a bot that repeatedly holds half of it and never buys. */
  #hoard(id: string): void {
    const { sku, at } = this.#place(1);
    const bot = this.#chance.next() < 0.5;
    const rounds = bot ? 5 : 1;
    const holds = bot ? 6 : 12;
    const share = bot ? 0.08 : 0.08;
    for (let round = 0; round < rounds; round++) {
      const begin = at + round * 20 * MINUTE;
      for (let i = 0; i < holds; i++) {
        const name = `${id}-${round}-${i}`;
        const channel = bot ? 'web' : 'marketplace';
        this.events.push(
          granted(name, sku, begin + i * 1_000_000, channel, bot ? 'order' : 'promotion', (sellable) =>
            Math.ceil(sellable * share),
          ),
        );
        this.events.push(step(name, 'expired', begin + 15 * MINUTE));
      }
    }
    this.#label('reservation_hoarding', sku, at, at + 3 * HOUR);
  }

  #label(kind: AnomalyKind, sku: string, from: number, until: number): void {
    this.labels.push({ kind, sku, location: DC, from, until });
  }

  /** Picks a SKU without another injection, and a time on an open day after at least this many sale minutes in 28 days. */
  #place(events: number): { sku: string; at: number; before: number } {
    const skus = [...this.#sales.keys()];
    for (;;) {
      const sku = this.#chance.pick(skus);
      if (this.#used.has(sku)) continue;
      const at = this.#chance.pick(this.#days) * DAY + 10 * HOUR + this.#chance.whole(0, 90) * MINUTE;
      const minutes = new Set<number>();
      for (const sale of this.#sales.get(sku) as Sale[])
        if (sale.at < at && sale.at >= at - 28 * DAY) minutes.add(Math.floor(sale.at / MINUTE));
      if (minutes.size < events) continue;
      this.#used.add(sku);
      return { sku, at, before: minutes.size };
    }
  }

  /** Picks a till and an open morning from which it is free of other injections for this many days, or returns undefined if there is none. */
  #till(days: number): { till: string; morning: number } | undefined {
    for (let attempt = 0; attempt < 10_000; attempt++) {
      const till = this.#chance.pick(TILLS);
      const day = this.#chance.pick(this.#days);
      const around = Array.from({ length: days + 2 * TILL_REST }, (_, i) => day + i - TILL_REST);
      if (around.some((each) => this.#busy.has(`${till} ${each}`))) continue;
      for (let each = day; each < day + days; each++) this.#busy.add(`${till} ${each}`);
      return { till, morning: day * DAY + 6 * HOUR };
    }
    return undefined;
  }
}
