/**
 * The stock that the stored facts add up to, by definition. The first fact stored under an id counts once, and counts apply by their time.
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

export class Ledger {
  readonly facts = new Map<string, SentFact>();
  /** Ids under which a different fact was stored later, one entry for each. */
  readonly conflicts: string[] = [];
  readonly #byKey = new Map<string, SentFact[]>();
  /** Sales and restocked returns that name a reservation, by its id. */
  readonly #named = new Map<string, SentFact[]>();
  readonly #sellable = new Map<string, number>();

  take(fact: SentFact): void {
    const known = this.facts.get(fact.id);
    if (known !== undefined) {
      if (JSON.stringify(known) !== JSON.stringify(fact)) this.conflicts.push(fact.id);
      return;
    }
    this.facts.set(fact.id, fact);
    const key = `${fact.sku} ${fact.location}`;
    const all = this.#byKey.get(key) ?? [];
    all.push(fact);
    this.#byKey.set(key, all);
    this.#sellable.delete(key);
    if (fact.reservation !== undefined) {
      this.#named.set(fact.reservation, [...(this.#named.get(fact.reservation) ?? []), fact]);
    }
  }

  /** Places of all units that sales took for a reservation, and of those that returns have opened again, each unit by itself. */
  movedFor(reservation: string, sku: string): { sold: string[]; reopened: string[] } {
    const facts = (this.#named.get(reservation) ?? []).filter((fact) => fact.sku === sku);
    const byTime = facts.toSorted((a, b) => Date.parse(a.occurredAt) - Date.parse(b.occurredAt));
    const units = (type: string) =>
      byTime
        .filter((fact) => fact.type === type)
        .flatMap(({ location, occurredAt, qty = 0 }) =>
          Array.from({ length: qty }, () => ({ location, at: Date.parse(occurredAt) })),
        );
    const sold = units('sale');
    const left = [...sold];
    const reopened = units('return').filter((unit) => {
      const sale = left.findIndex(({ at }) => at <= unit.at);
      if (sale >= 0) left.splice(sale, 1);
      return sale >= 0;
    });
    return { sold: sold.map(({ location }) => location), reopened: reopened.map(({ location }) => location) };
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

function sellableOf(facts: readonly SentFact[]): number {
  const at = (fact: SentFact) => Date.parse(fact.occurredAt);
  const counts = facts.filter((fact) => fact.type === 'count');
  counts.sort((a, b) => at(a) - at(b) || (a.id < b.id ? -1 : 1));
  const count = counts.at(-1);
  const since = facts.filter((fact) => fact.type !== 'count' && (count === undefined || at(fact) > at(count)));
  return since.reduce((sum, fact) => sum + moved(fact), count?.counted ?? 0);
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
