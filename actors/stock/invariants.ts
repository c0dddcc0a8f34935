/**
 * The numbered invariants of a book. Tests assert them after every step, and a node's self-audit checks its books one after the other. A
 * breach stops the partition, which then rebuilds itself from its log.
 *
 *  N1 sellable of a key = counted + base + its movements and corrections after the count. Without a count, it is base + all of them.
 *  N2 Movements are sorted, with one entry per instant, and every number is a safe integer. Moved movements are among them, and sorted.
 *  N3 held, allocated and promised of a key = the sum of its reservations' claims, and none is negative. What is promised is counted by
 *     moment too.
 *  N4 A line claims qty − fulfilled while live and 0 after that; 0 ≤ fulfilled ≤ qty.
 *  N5 pending is never negative.
 *  N6 Every item is on the page that it names.
 *  N7 A transfer's corrected units = the sum of its corrections at the stock keys. A key awaits exactly the transfers with units in transit
 *     to it.
 *  N8 The count before the latest one is before it, and its units are a safe integer or unknown.
 *  N9 The open units of a purchase order's lines = what its received units leave of them, earliest promised first. A key awaits exactly the
 *     lines with open units for it.
 *  N10 The units of each group at a key, once they are counted, = the sum of its reservations' claims, and what is pending.
 */

import type { Breach } from '../book/domain.ts';
import type { StockBook } from './book.ts';
import { dueOfLine, isDueLater } from './dated/phased.ts';
import { formerOf, isLater, sellableFromParts } from './movements.ts';
import { claimsOf } from './reservation.ts';
import type { ReservationPart, SkuEntry, StockKey, TransferRecord } from './state.ts';
import { openUnits } from './supply/on-order.ts';
import { unitsInTransit } from './supply/transit.ts';

/** Every breach in the book; empty if all invariants hold. */
export function audit(book: StockBook): Breach[] {
  const breaches: Breach[] = [];
  const claims = new Map<StockKey, Claims>();
  for (const part of book.parts.values()) auditPart(book, part, claims, breaches);
  for (const { key, groupUnits, channel, purpose } of book.inFlight)
    addToGroups(claimsAt(claims, key), channel, purpose, groupUnits);
  for (const entry of book.skus.values()) auditEntry(book, entry, claims, breaches);
  return breaches;
}

/** What reservations claim of a key. */
interface Claims {
  held: number;
  allocated: number;
  /** Units by the moment at which they are due. */
  readonly later: Map<number, number>;
  readonly groups: Map<string, number>;
}

function claimsAt(claims: Map<StockKey, Claims>, key: StockKey): Claims {
  const known = claims.get(key) ?? { held: 0, allocated: 0, later: new Map(), groups: new Map() };
  claims.set(key, known);
  return known;
}

function addToGroups({ groups }: Claims, channel: string, purpose: string, units: number): void {
  for (const group of new Set([channel, purpose])) groups.set(group, (groups.get(group) ?? 0) + units);
}

function auditClaims(book: StockBook, key: StockKey, claim: Claims | undefined, breaches: Breach[]): void {
  const where = `${key.sku.name} at ${key.location}`;
  const {
    held = 0,
    allocated = 0,
    later = new Map<number, number>(),
    groups = new Map<string, number>(),
  } = claim ?? {};
  if (held !== key.held || allocated !== key.allocated) {
    const stands = `held ${key.held}, allocated ${key.allocated}`;
    breaches.push({ invariant: 'N3', what: `${where}: ${stands}; reservations ${held}, ${allocated}` });
  }
  const dues = key.rare?.later?.dues ?? [];
  const isCounted = dues.every((units, i) => i % 2 === 0 || later.get(dues[i - 1] as number) === units);
  if (!isCounted || dues.length !== 2 * later.size)
    breaches.push({
      invariant: 'N3',
      what: `${where}: promised ${dues.join(' ')}; reservations ${[...later].flat().join(' ')}`,
    });
  if (!book.hasGroups) return;
  for (const group of new Set([...groups.keys(), ...(key.rare?.groups?.keys() ?? [])])) {
    const { stored = 0, pending = 0 } = key.rare?.groups?.get(group) ?? {};
    const units = groups.get(group) ?? 0;
    if (stored + pending !== units)
      breaches.push({
        invariant: 'N10',
        what: `${where}: group ${group} has ${stored + pending}; reservations ${units}`,
      });
  }
}

function auditEntry(book: StockBook, entry: SkuEntry, claims: ReadonlyMap<StockKey, Claims>, breaches: Breach[]): void {
  if (!book.pages.holds(entry)) breaches.push({ invariant: 'N6', what: `SKU ${entry.name}` });
  for (const key of entry.keys) {
    const where = `${entry.name} at ${key.location}`;
    const sum = sellableFromParts(key);
    if (sum !== key.sellable)
      breaches.push({ invariant: 'N1', what: `${where}: sellable ${key.sellable}, parts ${sum}` });
    if (!isSorted(key.movements) || !isPart(key) || !Number.isSafeInteger(key.sellable))
      breaches.push({ invariant: 'N2', what: where });
    if (!isFormerBefore(key)) breaches.push({ invariant: 'N8', what: where });
    auditClaims(book, key, claims.get(key), breaches);
    if (key.pending < 0) breaches.push({ invariant: 'N5', what: `${where}: pending ${key.pending}` });
  }
  auditTransfers(entry, breaches);
  auditPurchases(entry, breaches);
}

function auditTransfers({ name, keys, transfers }: SkuEntry, breaches: Breach[]): void {
  const corrected = new Map<TransferRecord, number>();
  let awaited = 0;
  for (const { rare } of keys) {
    for (const { transfer, qty } of rare?.corrections ?? [])
      corrected.set(transfer, (corrected.get(transfer) ?? 0) + qty);
    awaited += rare?.inbound?.size ?? 0;
  }
  for (const transfer of transfers?.values() ?? []) {
    const isAwaited = transfer.latest.key.rare?.inbound?.has(transfer) === true;
    if (isAwaited) awaited -= 1;
    if (isAwaited !== unitsInTransit(transfer) > 0 || transfer.corrected !== (corrected.get(transfer) ?? 0))
      breaches.push({ invariant: 'N7', what: `${name}: transfer ${transfer.id}` });
  }
  if (awaited !== 0)
    breaches.push({ invariant: 'N7', what: `${name}: ${awaited} transfers awaited at other locations` });
}

function auditPurchases({ name, keys, purchases }: SkuEntry, breaches: Breach[]): void {
  let awaited = keys.reduce((lines, { rare }) => lines + (rare?.ordered?.size ?? 0), 0);
  for (const order of purchases?.values() ?? []) {
    const expected = openUnits(order);
    for (const [index, line] of order.lines.entries()) {
      const isAwaited = line.key.rare?.ordered?.has(line) === true;
      if (isAwaited) awaited -= 1;
      if (line.open !== expected[index] || isAwaited !== line.open > 0)
        breaches.push({ invariant: 'N9', what: `${name}: purchase order ${order.id}, line ${line.name ?? '(none)'}` });
    }
  }
  if (awaited !== 0)
    breaches.push({ invariant: 'N9', what: `${name}: ${awaited} lines of purchase orders awaited at other locations` });
}

function auditPart(book: StockBook, part: ReservationPart, claims: Map<StockKey, Claims>, breaches: Breach[]): void {
  if (!book.pages.holds(part)) breaches.push({ invariant: 'N6', what: `reservation ${part.id}` });
  const expected = claimsOf(part);
  for (const line of [...part.lines, ...(part.next?.lines ?? [])]) {
    if (line.claimed !== expected.get(line) || line.fulfilled < 0 || line.fulfilled > line.qty) {
      breaches.push({ invariant: 'N4', what: `reservation ${part.id}, line ${line.index}: claims ${line.claimed}` });
    }
    if (line.claimed === 0) continue;
    const claim = claimsAt(claims, line.key);
    const due = dueOfLine(line);
    if (!isDueLater(line)) claim[part.bucket] += line.claimed;
    else claim.later.set(due, (claim.later.get(due) ?? 0) + line.claimed);
    addToGroups(claim, part.channel, part.purpose, line.claimed);
  }
}

function isFormerBefore({ count }: StockKey): boolean {
  if (count === undefined) return true;
  const former = formerOf(count);
  return isLater(count, former) && Number.isSafeInteger(former.units ?? 0);
}

/** Whether the moved movements are among the movements (MV4). */
function isPart({ movements, rare }: StockKey): boolean {
  const moved = rare?.moved ?? [];
  if (moved.length === 0) return true;
  const moments = new Set(movements.filter((_, i) => i % 2 === 0));
  for (let i = 0; i < moved.length; i += 3) {
    const [at, own] = [moved[i] as number, moved[i + 1] as number];
    if (!moments.has(at) || own <= at) return false;
    if (i > 0 && (at < (moved[i - 3] as number) || (at === moved[i - 3] && own <= (moved[i - 2] as number))))
      return false;
  }
  return moved.every(Number.isSafeInteger);
}

function isSorted(movements: readonly number[]): boolean {
  for (let i = 2; i < movements.length; i += 2) {
    if ((movements[i] as number) <= (movements[i - 2] as number)) return false;
  }
  return movements.every(Number.isSafeInteger);
}
