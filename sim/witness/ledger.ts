/**
 * The stock that the stored facts add up to, by definition. The first fact stored under an id counts once, and counts apply by their time.
 * A fact that happened more than the clock slack after it was stored counts as of when it was stored.
 * It is slow and plain on purpose, so that it is easy to trust.
 */
export interface SentFact {
  readonly id: string;
  readonly type: 'sale' | 'receipt' | 'transfer' | 'count' | 'adjustment' | 'return' | 'purchase';
  readonly sku: string;
  readonly location: string;
  readonly occurredAt: string;
  readonly qty?: number;
  readonly delta?: number;
  readonly counted?: number;
  readonly damaged?: number;
  readonly disposition?: string;
  readonly reservation?: string;
  readonly phase?: 'shipped' | 'received' | 'closed';
  readonly transfer?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly purchaseOrder?: string;
  readonly line?: string;
  readonly promisedAt?: string;
  /** A field that no type knows. It makes the fact large. */
  readonly note?: string;
}

/** How far a clock is believed, in milliseconds. */
export const SLACK_MS = 300_000;

interface Dated {
  readonly fact: SentFact;
  /** When it counts, and what its device said, in milliseconds since 1970. */
  readonly atMs: number;
  readonly ownMs: number;
}

export class Ledger {
  readonly facts = new Map<string, SentFact>();
  readonly #byKey = new Map<string, Dated[]>();
  /** Sales and restocked returns that name a reservation, by its id. */
  readonly #named = new Map<string, Dated[]>();
  readonly #sellable = new Map<string, number>();
  /** Facts of each transfer and SKU. */
  readonly #transfers = new Map<string, Dated[]>();
  /** Purchases and receipts of each purchase order and SKU. */
  readonly #orders = new Map<string, Dated[]>();

  /**
   * @param storedMs milliseconds since 1970
   * @returns false if a different fact has the id, so this one never counts
   */
  take(fact: SentFact, storedMs: number): boolean {
    if (this.facts.has(fact.id)) return this.has(fact);
    this.facts.set(fact.id, fact);
    const key = `${fact.sku} ${fact.location}`;
    const all = this.#byKey.get(key) ?? [];
    const ownMs = Date.parse(fact.occurredAt);
    const dated = { fact, atMs: ownMs > storedMs + SLACK_MS ? storedMs : ownMs, ownMs };
    all.push(dated);
    this.#byKey.set(key, all);
    this.#sellable.delete(key);
    if (fact.type === 'transfer') {
      const name = `${fact.transfer} ${fact.sku}`;
      this.#transfers.set(name, [...(this.#transfers.get(name) ?? []), dated]);
      // A shipment moves the corrections of its transfer at every location.
      this.#sellable.clear();
    }
    if (fact.purchaseOrder !== undefined) {
      const name = `${fact.purchaseOrder} ${fact.sku}`;
      this.#orders.set(name, [...(this.#orders.get(name) ?? []), dated]);
    }
    if (fact.reservation !== undefined) {
      this.#named.set(fact.reservation, [...(this.#named.get(fact.reservation) ?? []), dated]);
    }
    return true;
  }

  /** Whether this very fact counts. */
  has(fact: SentFact): boolean {
    return JSON.stringify(this.facts.get(fact.id)) === JSON.stringify(fact);
  }

  /** Places of all units that sales took for a reservation, and of those that returns have opened again, each unit by itself. */
  movedFor(reservation: string, sku: string): { sold: string[]; reopened: string[] } {
    // Of returns at one moment the order of arrival must not decide, so the place does, and then the quantity.
    const facts = (this.#named.get(reservation) ?? [])
      .filter(({ fact }) => fact.sku === sku)
      .sort((a, b) => later(a, b) || byText(a.fact.location, b.fact.location) || (a.fact.qty ?? 0) - (b.fact.qty ?? 0));
    const units = (type: string) =>
      facts
        .filter(({ fact }) => fact.type === type)
        .flatMap((dated) => Array.from({ length: dated.fact.qty ?? 0 }, () => dated));
    const sold = units('sale');
    const left = [...sold];
    const reopened = units('return').filter((unit) => {
      const sale = left.findIndex((each) => later(each, unit) <= 0);
      if (sale >= 0) left.splice(sale, 1);
      return sale >= 0;
    });
    const places = (of: readonly Dated[]) => of.map(({ fact }) => fact.location);
    return { sold: places(sold), reopened: places(reopened) };
  }

  sellable(sku: string, location: string): number {
    const key = `${sku} ${location}`;
    let units = this.#sellable.get(key);
    if (units === undefined) {
      units = sellableOf((this.#byKey.get(key) ?? []).map((dated) => this.#counting(dated)));
      this.#sellable.set(key, units);
    }
    return units;
  }

  /** Units that the last count found, and those that the count before it and the movements between the two give. */
  variance(sku: string, location: string): readonly [counted: number, book: number] | undefined {
    const dated = (this.#byKey.get(`${sku} ${location}`) ?? []).map((each) => this.#counting(each));
    const [last, former] = countsOf(dated).toReversed();
    if (last === undefined) return undefined;
    const counted = last.fact.counted ?? 0;
    const until = dated.filter((each) => later(each, last) <= 0 && each !== last);
    const book = sellableOf(until);
    // The first count of a book that is not above 0 opens it.
    return [counted, former === undefined && book <= 0 ? counted : book];
  }

  known(sku: string, location: string): boolean {
    return this.#byKey.has(`${sku} ${location}`);
  }

  inTransit(sku: string, location: string): number {
    let sum = 0;
    for (const legs of this.#transfers.values()) {
      const shipment = latestShipment(legs)?.fact;
      if (shipment?.sku !== sku || shipment.to !== location) continue;
      const units = (phase: string, reason?: string) =>
        legs
          .map(({ fact }) => fact)
          .filter((leg) => leg.phase === phase && leg.reason === reason)
          .reduce((all, leg) => all + (leg.qty ?? 0) + (leg.damaged ?? 0), 0);
      const missing = Math.max(0, units('shipped') - units('received') - units('closed', 'corrected'));
      sum += missing - Math.min(missing, units('closed', 'lost'));
    }
    return sum;
  }

  /** Units ordered for the location that have not come. What came fills the lines in the order in which they are promised. */
  onOrder(sku: string, location: string): number {
    let sum = 0;
    for (const [name, dated] of this.#orders) {
      if (!name.endsWith(` ${sku}`)) continue;
      const lines = new Map<string, SentFact>();
      const purchases = dated.filter(({ fact }) => fact.type === 'purchase');
      for (const { fact } of purchases.sort((a, b) => later(a, b) || byText(a.fact.id, b.fact.id)))
        lines.set(fact.line ?? '', fact);
      let came = dated
        .filter(({ fact }) => fact.type === 'receipt')
        .reduce((all, { fact }) => all + (fact.qty ?? 0) + (fact.damaged ?? 0), 0);
      const inOrder = [...lines.values()].sort(
        (a, b) => byText(a.promisedAt ?? '', b.promisedAt ?? '') || byText(a.line ?? '', b.line ?? ''),
      );
      for (const { qty = 0, location: to } of inOrder) {
        const open = Math.max(0, qty - came);
        came = Math.max(0, came - qty);
        if (to === location) sum += open;
      }
    }
    return sum;
  }

  /** The fact as it counts at its location. Units that never left count as of the latest shipment of their transfer. */
  #counting(dated: Dated): Dated {
    const { fact } = dated;
    if (fact.reason !== 'corrected') return dated;
    const shipment = latestShipment(this.#transfers.get(`${fact.transfer} ${fact.sku}`) ?? []);
    return shipment === undefined ? dated : { ...shipment, fact };
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function latestShipment(legs: readonly Dated[]): Dated | undefined {
  return legs
    .filter(({ fact }) => fact.phase === 'shipped')
    .sort((a, b) => later(a, b) || (a.fact.id < b.fact.id ? -1 : 1))
    .at(-1);
}

function later(a: Dated, b: Dated): number {
  return a.atMs - b.atMs || a.ownMs - b.ownMs;
}

function countsOf(facts: readonly Dated[]): Dated[] {
  const counts = facts.filter(({ fact }) => fact.type === 'count');
  return counts.sort((a, b) => later(a, b) || (a.fact.id < b.fact.id ? -1 : 1));
}

function sellableOf(facts: readonly Dated[]): number {
  const count = countsOf(facts).at(-1);
  const since = facts.filter((each) => each.fact.type !== 'count' && (count === undefined || later(each, count) > 0));
  return since.reduce((sum, { fact }) => sum + moved(fact), count?.fact.counted ?? 0);
}

function moved(fact: SentFact): number {
  const qty = fact.qty ?? 0;
  switch (fact.type) {
    case 'sale':
      return -qty;
    case 'receipt':
      return qty;
    case 'transfer':
      return fact.phase === 'shipped' ? -qty : fact.reason === 'lost' ? 0 : qty;
    case 'return':
      return fact.disposition === 'restock' ? qty : 0;
    case 'adjustment':
      return fact.delta ?? 0;
    case 'count':
    case 'purchase':
      return 0;
  }
}
