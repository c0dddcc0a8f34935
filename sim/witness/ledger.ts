/**
 * The stock that the stored facts add up to, by definition. The first fact stored under an id counts once, and counts apply by their time.
 * A fact that happened more than the clock slack after it was stored counts as of when it was stored.
 * It is slow and plain on purpose, so that it is easy to trust.
 */
export interface SentFact {
  readonly id: string;
  readonly type: 'sale' | 'receipt' | 'transfer' | 'count' | 'adjustment' | 'return';
  readonly sku: string;
  readonly location: string;
  readonly occurredAt: string;
  readonly qty?: number;
  readonly delta?: number;
  readonly counted?: number;
  readonly damaged?: number;
  readonly disposition?: string;
  readonly reservation?: string;
  readonly phase?: 'shipped' | 'received';
  readonly transfer?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
}

/** How far a clock is believed, in milliseconds. */
const SLACK_MS = 300_000;

interface Dated {
  readonly fact: SentFact;
  /** When it counts, and what its device said, in milliseconds since 1970. */
  readonly atMs: number;
  readonly ownMs: number;
}

export class Ledger {
  readonly facts = new Map<string, SentFact>();
  /** Ids under which a different fact was stored later, one entry for each. */
  readonly conflicts: string[] = [];
  readonly #byKey = new Map<string, Dated[]>();
  readonly #sold = new Map<string, number>();
  readonly #sellable = new Map<string, number>();

  /** @param storedMs milliseconds since 1970 */
  take(fact: SentFact, storedMs: number): void {
    const known = this.facts.get(fact.id);
    if (known !== undefined) {
      if (JSON.stringify(known) !== JSON.stringify(fact)) this.conflicts.push(fact.id);
      return;
    }
    this.facts.set(fact.id, fact);
    const key = `${fact.sku} ${fact.location}`;
    const all = this.#byKey.get(key) ?? [];
    const ownMs = Date.parse(fact.occurredAt);
    all.push({ fact, atMs: ownMs > storedMs + SLACK_MS ? storedMs : ownMs, ownMs });
    this.#byKey.set(key, all);
    this.#sellable.delete(key);
    if (fact.reservation !== undefined) {
      const name = `${fact.reservation} ${fact.sku}`;
      this.#sold.set(name, (this.#sold.get(name) ?? 0) + (fact.qty ?? 0));
    }
  }

  /** Units that sales took from a reservation. */
  sold(reservation: string, sku: string): number {
    return this.#sold.get(`${reservation} ${sku}`) ?? 0;
  }

  sellable(sku: string, location: string): number {
    const key = `${sku} ${location}`;
    let units = this.#sellable.get(key);
    if (units === undefined) {
      units = sellableOf(this.#byKey.get(key) ?? []);
      this.#sellable.set(key, units);
    }
    return units;
  }

  known(sku: string, location: string): boolean {
    return this.#byKey.has(`${sku} ${location}`);
  }

  inTransit(sku: string, location: string): number {
    const open = new Map<string, number>();
    for (const fact of this.facts.values()) {
      if (fact.type !== 'transfer' || fact.sku !== sku || fact.to !== location) continue;
      const moved = fact.phase === 'shipped' ? (fact.qty ?? 0) : -(fact.qty ?? 0) - (fact.damaged ?? 0);
      open.set(fact.transfer ?? '', (open.get(fact.transfer ?? '') ?? 0) + moved);
    }
    return [...open.values()].reduce((sum, each) => sum + Math.max(0, each), 0);
  }
}

function sellableOf(facts: readonly Dated[]): number {
  const later = (a: Dated, b: Dated) => a.atMs - b.atMs || a.ownMs - b.ownMs;
  const counts = facts.filter(({ fact }) => fact.type === 'count');
  counts.sort((a, b) => later(a, b) || (a.fact.id < b.fact.id ? -1 : 1));
  const count = counts.at(-1);
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
      return fact.phase === 'shipped' ? -qty : qty;
    case 'return':
      return fact.disposition === 'restock' ? qty : 0;
    case 'adjustment':
      return fact.delta ?? 0;
    case 'count':
      return 0;
  }
}
