/**
 * The stock of partition 0 by definition, which is what facts and decisions add up to according to the contract. It computes every figure
 * from scratch, slowly on purpose, and shares no code with the implementation that it checks.
 */

import type { Purchase, Receipt, StockFact, Transfer } from '../../../streams/fact/fact.ts';
import type { Granted, Stepped } from '../../../streams/journal/stock-decisions.ts';
import { order, viewOf } from './given.ts';

/** The contract's result for these facts and decisions, with every figure computed from all facts. */
export function expectedOf(facts: readonly StockFact[], decisions: readonly (Granted | Stepped)[]) {
  const steps = decisions.filter((each): each is Stepped => each.kind !== 'granted');
  const has = (id: string, kind: string) => steps.some((each) => each.id === id && each.kind === kind);
  const reservations = decisions
    .filter((each): each is Granted => each.kind === 'granted')
    .map((grant) => ({ grant, lines: grant.lines.filter((line) => line.partition === 0) }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ grant: { id }, lines }) => {
      const fulfilled = fulfilledOf(
        lines,
        facts.filter((fact) => fact.type === 'sale' && fact.reservation === id),
      );
      const gone = lines.every((line, i) => fulfilled[i] === line.qty);
      const ended = has(id, 'released') ? 'released' : has(id, 'expired') ? 'expired' : undefined;
      const status = gone ? 'fulfilled' : (ended ?? (has(id, 'confirmed') ? 'allocated' : 'held'));
      const claims = lines.map((line, i) => ({
        ...line,
        qty: ended === undefined ? line.qty - (fulfilled[i] as number) : 0,
      }));
      return { id, status, fulfilled, claims, bucket: has(id, 'confirmed') ? 'allocated' : 'held' };
    })
    .sort((a, b) => order(a.id, b.id));
  const claimed = (bucket: string, sku: string, location: string) =>
    total(
      reservations.filter((each) => each.bucket === bucket).flatMap((each) => each.claims),
      (line) => (line.sku === sku && line.location === location ? line.qty : 0),
    );
  const views = ['mug', 'pan'].flatMap((sku) =>
    placesOf(
      facts,
      reservations.flatMap((each) => each.claims),
    )
      .filter((location) =>
        isKnown(
          sku,
          location,
          facts,
          reservations.flatMap((each) => each.claims),
        ),
      )
      .map((location) => {
        const here = facts.filter((fact) => fact.sku === sku && fact.location === location);
        return viewOf(sku, location, {
          sellable: sellableOf(movementsAt(facts, sku, location)),
          damaged: total(here, damagedBy),
          inspection: total(here, inspectionBy),
          held: claimed('held', sku, location),
          allocated: claimed('allocated', sku, location),
          inTransit: inTransitOf(
            facts.filter((fact) => fact.sku === sku),
            location,
          ),
          onOrder: onOrderOf(
            facts.filter((fact) => fact.sku === sku),
            location,
          ),
        });
      }),
  );
  return { views, reservations: reservations.map(({ id, status, fulfilled }) => ({ id, status, fulfilled })) };
}

/** Sales count first for a line at their own location. The excess fulfils the SKU's other lines, in order. */
function fulfilledOf(
  lines: readonly { sku: string; location: string; qty: number }[],
  sales: readonly StockFact[],
): number[] {
  const fulfilled = lines.map(() => 0);
  const units = sales.flatMap((fact) => (fact.type === 'sale' ? Array<StockFact>(fact.qty).fill(fact) : []));
  const give = (
    fits: (line: { sku: string; location: string }, unit: StockFact) => boolean,
    from: readonly StockFact[],
  ) =>
    from.filter((unit) => {
      const at = lines.findIndex((line, i) => fits(line, unit) && (fulfilled[i] as number) < line.qty);
      if (at >= 0) fulfilled[at] = (fulfilled[at] as number) + 1;
      return at < 0;
    });
  const over = give((line, unit) => line.sku === unit.sku && line.location === unit.location, units);
  give((line, unit) => line.sku === unit.sku, over);
  return fulfilled;
}

/** What the last count at each place found and what it should have found, as `sku/location counted book`. */
export function variancesOf(facts: readonly StockFact[]): string[] {
  return ['mug', 'pan'].flatMap((sku) =>
    placesOf(facts, []).flatMap((location) => {
      const here = movementsAt(facts, sku, location);
      const [last, former] = countsOf(here).toReversed();
      if (last === undefined) return [];
      const until = here.filter((fact) => later(fact, last) <= 0);
      const between = until.filter((fact) => former === undefined || later(fact, former) > 0);
      const book = (former?.counted ?? 0) + total(between, sellableBy);
      return [`${sku}/${location} ${last.counted} ${former === undefined && book <= 0 ? last.counted : book}`];
    }),
  );
}

function movementsAt(facts: readonly StockFact[], sku: string, location: string): StockFact[] {
  const here = facts.filter((fact) => fact.sku === sku && fact.location === location && !isCorrected(fact));
  return [...here, ...correctionsOf(facts, sku, location)];
}

function countsOf(here: readonly StockFact[]) {
  const counts = here.filter((fact) => fact.type === 'count');
  return counts.sort((a, b) => later(a, b) || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
}

function sellableOf(here: readonly StockFact[]): number {
  const last = countsOf(here).at(-1);
  const moving = last === undefined ? here : here.filter((fact) => later(fact, last) > 0);
  return (last?.counted ?? 0) + total(moving, sellableBy);
}

/** Above 0 if the first fact counts as later. What was moved to one moment is ordered by its own occurredAt. */
function later(a: StockFact, b: StockFact): number {
  return a.at - b.at || (a.own ?? a.at) - (b.own ?? b.at);
}

function sellableBy(fact: StockFact): number {
  switch (fact.type) {
    case 'sale':
      return -fact.qty;
    case 'receipt':
      return fact.qty;
    case 'transfer':
      return fact.phase === 'lost' ? 0 : fact.phase === 'shipped' ? -fact.qty : fact.qty;
    case 'return':
      return fact.disposition === 'restock' ? fact.qty : 0;
    case 'count':
    case 'purchase':
      return 0;
    case 'adjustment':
      return fact.bucket === 'sellable' ? fact.delta : 0;
  }
}

function damagedBy(fact: StockFact): number {
  if (fact.type === 'receipt' || (fact.type === 'transfer' && fact.phase === 'received')) return fact.damaged;
  if (fact.type === 'return') return fact.disposition === 'damaged' ? fact.qty : 0;
  return fact.type === 'adjustment' && fact.bucket === 'damaged' ? fact.delta : 0;
}

function inspectionBy(fact: StockFact): number {
  if (fact.type === 'return') return fact.disposition === 'inspect' ? fact.qty : 0;
  return fact.type === 'adjustment' && fact.bucket === 'inspection' ? fact.delta : 0;
}

function isCorrected(fact: StockFact): boolean {
  return fact.type === 'transfer' && fact.phase === 'corrected';
}

/** Corrections at a location, each as of the moment at which the contract counts it. */
function correctionsOf(facts: readonly StockFact[], sku: string, location: string): StockFact[] {
  return facts
    .filter((fact) => isCorrected(fact) && fact.sku === sku && fact.location === location)
    .map((fact) => {
      const { transfer } = fact as Transfer;
      const { at, own } = latestShipped(legsOf(facts, sku, transfer)) ?? fact;
      return { ...fact, at, own };
    });
}

function legsOf(facts: readonly StockFact[], sku: string, transfer: string): Transfer[] {
  return facts.filter(
    (fact): fact is Transfer => fact.type === 'transfer' && fact.sku === sku && fact.transfer === transfer,
  );
}

function latestShipped(legs: readonly Transfer[]): Transfer | undefined {
  return legs
    .filter((leg) => leg.phase === 'shipped')
    .sort((a, b) => later(a, b) || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)))
    .at(-1);
}

/** Σ max(0, shipped − received − damaged − lost − corrected) over the transfers whose latest shipment goes to this location. */
function inTransitOf(facts: readonly StockFact[], to: string): number {
  const legs = facts.filter((fact) => fact.type === 'transfer');
  return total([...new Set(legs.map((leg) => leg.transfer))], (id) => {
    const of = legs.filter((leg) => leg.transfer === id);
    return latestShipped(of)?.to === to ? openOf(of).inTransit : 0;
  });
}

/**
 * Σ max(0, ordered − received) over the lines at this location, each as its latest purchase says. A receipt that names the purchase order
 * counts against it unit by unit, the line that is promised first being the first to be filled.
 */
function onOrderOf(facts: readonly StockFact[], location: string): number {
  const purchases = facts.filter((fact) => fact.type === 'purchase');
  return total([...new Set(purchases.map((each) => each.purchaseOrder))], (id) => {
    const ordered = purchases.filter((each) => each.purchaseOrder === id);
    const lines = [...new Set(ordered.map((each) => each.line))].map((name) => {
      const versions = ordered.filter((each) => each.line === name);
      versions.sort((a, b) => later(a, b) || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
      return { ...(versions.at(-1) as Purchase), open: (versions.at(-1) as Purchase).qty };
    });
    lines.sort((a, b) => a.promisedAt - b.promisedAt || order(a.line ?? '', b.line ?? ''));
    const receipts = facts.filter((fact) => fact.type === 'receipt' && fact.purchaseOrder === id);
    for (let unit = total(receipts, (fact) => (fact as Receipt).qty + (fact as Receipt).damaged); unit > 0; unit--) {
      const next = lines.find((line) => line.open > 0);
      if (next !== undefined) next.open -= 1;
    }
    return total(lines, (line) => (line.location === location ? line.open : 0));
  });
}

/** What the legs of one transfer leave in transit and lost, and by how many units more came back than left. */
export function openOf(legs: readonly Transfer[]): { inTransit: number; lost: number; over: number } {
  const units = (phase: Transfer['phase']) =>
    total(legs, (leg) => (leg.phase === phase ? leg.qty + (phase === 'received' ? leg.damaged : 0) : 0));
  const rest = units('shipped') - units('received') - units('corrected');
  const lost = Math.min(units('lost'), Math.max(0, rest));
  return { inTransit: Math.max(0, rest - lost), lost, over: Math.max(0, -rest) };
}

function placesOf(facts: readonly StockFact[], lines: readonly { location: string }[]): string[] {
  const named = facts.flatMap((fact) => (fact.type === 'transfer' ? [fact.from, fact.to] : [fact.location]));
  return [...new Set([...named, ...lines.map((line) => line.location)])].sort();
}

function isKnown(
  sku: string,
  location: string,
  facts: readonly StockFact[],
  lines: readonly { sku: string; location: string }[],
): boolean {
  const named = facts.filter((fact) => fact.sku === sku);
  return (
    named.some(
      (fact) =>
        fact.location === location || (fact.type === 'transfer' && fact.phase === 'shipped' && fact.to === location),
    ) || lines.some((line) => line.sku === sku && line.location === location)
  );
}

export function total<T>(things: readonly T[], units: (thing: T) => number): number {
  return things.reduce((sum, thing) => sum + units(thing), 0);
}
