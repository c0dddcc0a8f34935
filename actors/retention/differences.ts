/**
 * Finds differences between two states of one partition. It ignores data that either side may have forgotten, which is compacted
 * movements, reservations that ended long ago and ids past the horizon.
 */

import { present } from '../../streams/assert.ts';
import type { Books } from '../book/books.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import { itemDifferences } from '../item/differences.ts';
import { ITEMS } from '../item/domain.ts';
import { unitsOnHand } from '../stock/availability.ts';
import type { StockBook } from '../stock/book.ts';
import { STOCK } from '../stock/domain.ts';
import { compact, formerOf } from '../stock/movements.ts';
import { coordinatorEndedAtMs, endedAtMs } from '../stock/reservation.ts';
import type {
  CoordinatorEntry,
  CountRegister,
  PartLine,
  PurchaseRecord,
  ReservationPart,
  SkuEntry,
  StockKey,
  TransferRecord,
} from '../stock/state.ts';
import { onOrder } from '../stock/supply/on-order.ts';
import { inTransit } from '../stock/supply/transit.ts';
import { DatedIds, idText } from './rebuild.ts';

export interface State {
  readonly books: Books;
  readonly factIds: FactIds;
}
export interface Difference {
  readonly what: string;
  /** Page of `kept` that holds the item, undefined if none does. */
  readonly page: number | undefined;
}
export interface Forgetting {
  /** A reservation that ended before this moment, in milliseconds, may be missing on one side. */
  readonly forgottenBeforeMs: number;
  /** An id that is remembered from before this moment, in microseconds, may be missing from `kept`. */
  readonly idsForgottenBefore: number;
  /** The fold began with a baseline, which has forgotten ids too. An id that only the stored copy knows is then no difference. */
  readonly foldedForgot: boolean;
}

/** Returns every difference, [] if the states are the same. `kept` is the stored state, `folded` the state rebuilt from the streams. */
export function differences(kept: State, folded: State, rules: Forgetting): Difference[] {
  const [mine, theirs] = [kept.books.of(STOCK), folded.books.of(STOCK)];
  return [
    ...stockDifferences(mine, theirs),
    ...partDifferences(mine, theirs, rules.forgottenBeforeMs),
    ...homeDifferences(mine, theirs, rules.forgottenBeforeMs),
    ...itemDifferences(kept.books.of(ITEMS), folded.books.of(ITEMS)),
    ...idDifferences(kept, folded, rules),
  ];
}

function* stockDifferences(kept: StockBook, folded: StockBook): Generator<Difference> {
  for (const [name, entry] of kept.skus) {
    for (const key of entry.keys) {
      const other = folded.findKey(name, key.location);
      const where = `${name} at ${key.location}`;
      if (other === undefined) yield { what: `${where} is in no fact`, page: entry.page };
      else {
        const [mine, theirs] = comparable(key, other);
        if (mine !== theirs) yield { what: `${where} is ${mine}, the streams say ${theirs}`, page: entry.page };
      }
    }
    const [mine, theirs] = transferTexts(entry, folded.skus.get(name));
    if (mine !== theirs)
      yield { what: `transfers of ${name} are ${mine}, the streams say ${theirs}`, page: entry.page };
    const [orders, theirOrders] = [purchaseText(entry), purchaseText(folded.skus.get(name))];
    if (orders !== theirOrders)
      yield { what: `purchases of ${name} are ${orders}, the streams say ${theirOrders}`, page: entry.page };
  }
  for (const [name, entry] of folded.skus)
    for (const { location } of entry.keys)
      if (kept.findKey(name, location) === undefined)
        yield { what: `${name} at ${location} is missing`, page: kept.skus.get(name)?.page };
}

/**
 * Both keys as text. Movements are compacted as far as they are on either side. The count before the latest one is compared only if both
 * sides know it, because an earlier version did not keep it.
 */
function comparable(a: StockKey, b: StockKey): [string, string] {
  const first = (key: StockKey) => key.movements[0] ?? Number.POSITIVE_INFINITY;
  const before = Math.max(first(a), first(b));
  const hasFormer = [a, b].every(({ count }) => count === undefined || formerOf(count).units !== undefined);
  return [keyText(a, before, hasFormer), keyText(b, before, hasFormer)];
}

function keyText(key: StockKey, before: number, hasFormer: boolean): string {
  const { base, movements, count, rare } = key;
  const copy = { base, movements, count, rare: rare === undefined ? undefined : { ...rare } } as StockKey;
  compact(copy, before);
  return JSON.stringify({
    ...unitsOnHand(key),
    held: key.held,
    allocated: key.allocated,
    inTransit: inTransit(key),
    onOrder: onOrder(key),
    corrections: (key.rare?.corrections ?? [])
      .map(({ transfer, at, own, qty }) => [transfer.id, at, own, qty].join())
      .sort(),
    count: count === undefined ? 0 : [count.at, count.id, count.counted, count.own],
    former: copy.count !== undefined && hasFormer ? formerText(copy.count) : undefined,
    base: copy.base,
    movements: copy.movements,
    moved: copy.rare?.moved ?? [],
  });
}

function formerText(count: CountRegister): unknown {
  const { at, own, id, units } = formerOf(count);
  return [at, own, id, units];
}

/**
 * The transfers of a SKU on both sides as text. An earlier version kept neither the id of a shipment nor when units arrived, and a later one
 * not where a shipment began.
 */
function transferTexts(a: SkuEntry, b: SkuEntry | undefined): [string, string] {
  const mine: string[] = [];
  const theirs: string[] = [];
  for (const [id, one] of a.transfers ?? []) {
    const other = b?.transfers?.get(id);
    const hasLeg = one.latest.id !== '' && other?.latest.id !== '';
    const hasArrival = one.arrivedAt !== undefined && other?.arrivedAt !== undefined;
    const hasFrom = one.latest.from !== undefined && other?.latest.from !== undefined;
    const text = ({ shipped, arrived, arrivedAt, closedLost, corrected, latest, overdueFor }: TransferRecord) => {
      const leg = hasLeg ? [latest.at, latest.id, latest.key.location, latest.eta ?? null] : [];
      const known = [...leg, ...(hasArrival ? [arrivedAt] : []), ...(hasFrom ? [latest.from] : [])];
      return JSON.stringify([id, shipped, arrived, closedLost, corrected, overdueFor ?? null, ...known]);
    };
    mine.push(text(one));
    if (other !== undefined) theirs.push(text(other));
  }
  for (const id of b?.transfers?.keys() ?? []) if (a.transfers?.get(id) === undefined) theirs.push(id);
  return [mine.join(), theirs.join()];
}

/** The purchases of a SKU as text, in the order of their ids. */
function purchaseText(entry: SkuEntry | undefined): string {
  const text = ({ id, received, orderedAt, lines }: PurchaseRecord) =>
    JSON.stringify([
      ...[id, received, orderedAt],
      lines.map(({ order: _order, key, ...line }) => ({ ...line, location: key.location })),
    ]);
  return [...(entry?.purchases?.values() ?? [])].map(text).sort().join();
}

function* partDifferences(kept: StockBook, folded: StockBook, forgottenMs: number): Generator<Difference> {
  const forgotten = (part: ReservationPart) => endedAtMs(part) > 0 && endedAtMs(part) < forgottenMs;
  for (const [id, part] of kept.parts) {
    const other = folded.parts.get(id);
    if (other === undefined) {
      if (!forgotten(part)) yield { what: `reservation ${id} is in no decision`, page: part.page };
    } else if (part.granted === other.granted || !(forgotten(part) || forgotten(other))) {
      const [mine, theirs] = [partText(part), partText(other)];
      if (mine !== theirs) yield { what: `reservation ${id} is ${mine}, the streams say ${theirs}`, page: part.page };
    }
  }
  for (const [id, part] of folded.parts)
    if (!kept.parts.has(id) && !forgotten(part)) yield { what: `reservation ${id} is missing`, page: undefined };
}

function partText(part: ReservationPart): string {
  const { page: _page, lines, next, sold = [], ...rest } = part;
  return JSON.stringify({
    ...rest,
    lines: linesText(lines),
    next: next && { ...next, lines: linesText(next.lines) },
    // A snapshot of version 0.1 has no moments of sales.
    sold: sold.map(({ moments: _moments, ...units }) => units),
  });
}

function linesText(lines: readonly PartLine[]): unknown {
  return lines.map(({ key, ...rest }) => ({ ...rest, sku: key.sku.name, location: key.location }));
}

function* homeDifferences(kept: StockBook, folded: StockBook, forgottenMs: number): Generator<Difference> {
  const forgotten = (home: CoordinatorEntry, book: StockBook) => {
    if (coordinatorEndedAtMs(home) < forgottenMs) return true;
    // An earlier version forgot a fulfilled reservation without recording its end, if its home held all lines.
    const part = book.parts.get(home.id);
    const alone = home.participants.length === 1 && home.participants[0] === book.partition;
    return alone && (part === undefined || (endedAtMs(part) > 0 && endedAtMs(part) < forgottenMs));
  };
  for (const [id, home] of kept.coordinatorEntries) {
    const other = folded.coordinatorEntries.get(id);
    if (other === undefined) {
      if (!forgotten(home, kept)) yield { what: `the home of ${id} is in no decision`, page: home.page };
    } else if (homeText(home) !== homeText(other))
      yield { what: `the home of ${id} is ${homeText(home)}, the streams say ${homeText(other)}`, page: home.page };
  }
  for (const [id, home] of folded.coordinatorEntries)
    if (!kept.coordinatorEntries.has(id) && !forgotten(home, folded))
      yield { what: `the home of ${id} is missing`, page: undefined };
}

function homeText({ page: _page, releasedAtMs, expiredAtMs, ...rest }: CoordinatorEntry): string {
  // A snapshot of version 0.1 did not say how a reservation ended.
  return JSON.stringify({ ...rest, endedAtMs: Math.max(releasedAtMs, expiredAtMs) });
}

function* idDifferences(kept: State, folded: State, rules: Forgetting): Generator<Difference> {
  const number = kept.books.of(STOCK).partition;
  const moments = folded.factIds instanceof DatedIds ? folded.factIds.moments : new Map<string, number>();
  let strange = 0;
  let missing = 0;
  for (const [id, content] of idsOf(kept.factIds, number)) {
    const found = folded.factIds.check(id, content);
    if (found === 'conflict' || (found === 'new' && !rules.foldedForgot)) strange += 1;
  }
  for (const [id, content] of idsOf(folded.factIds, number)) {
    if (kept.factIds.check(id, content) === 'duplicate') continue;
    if ((moments.get(idText(id)) ?? Number.POSITIVE_INFINITY) > rules.idsForgottenBefore) missing += 1;
  }
  if (strange > 0) yield { what: `${strange} of its ids are of no fact that counted`, page: undefined };
  if (missing > 0) yield { what: `${missing} ids of facts that counted are missing`, page: undefined };
}

function* idsOf(factIds: FactIds, partition: number) {
  for (const { words, used } of factIds.chunksOf(partition)) {
    for (let at = 0; at < used * 4; at += 4)
      yield [
        { hi: present(words[at]), lo: present(words[at + 1]) },
        { hi: present(words[at + 2]), lo: present(words[at + 3]) },
      ] as const;
  }
}
