/**
 * What a stock key gets and owes over time: reads it for the formula of atp.ts, and keeps count of what is promised for later and of what
 * each group has. Most keys have neither, and pay one comparison for it.
 *
 * Invariants:
 *  PH1 `later` of a key has exactly the open lines that are due later, and `dues` their units by moment.
 *  PH2 Once a policy has needed groups, `groups` of every key of the book has the claims of its live reservations and what is pending.
 */
import type { KeyPolicy } from '../../policy/policy.ts';
import { laneTimeOf } from '../../policy/terms.ts';
import type { StockBook } from '../book.ts';
import { type Later, type PartLine, type PendingUnits, type ReservationPart, rareOf, type StockKey } from '../state.ts';
import { openSupply, type Supply } from '../supply/open-supply.ts';
import {
  type ActiveUnits,
  type Asker,
  type Balance,
  backorderAllowance,
  END_OF_TIME,
  keptFromOthers,
  leastNet,
  leftOfCap,
  NOTHING_LATER,
  serves,
  type Timeline,
  withItem,
} from './atp.ts';

/** When a line is due: 0 or a moment in the past is now, microseconds since 1970, END_OF_TIME. */
export type Due = number;

/** Units that a request takes from a key (above 0) or gives back to it while it is decided. */
export interface Claim extends Asker {
  readonly due: Due;
  readonly units: number;
}

export function dueOfLine({ date }: PartLine): Due {
  return date === undefined ? 0 : (date.moving ?? date.due);
}

/** Whether the line's units are promised for later. A decision that is on its way to the journal changes that only when it is stored. */
export function isDueLater({ date }: PartLine): boolean {
  return date !== undefined && date.due > 0;
}

/** Counts a claim of a line in the key's books of later units (PH1) and of groups. @param units negative to take it back */
export function countClaim(book: StockBook, part: ReservationPart, line: PartLine, units: number): void {
  if (units === 0) return;
  const { key } = line;
  if (isDueLater(line)) countLater(key, part, line, dueOfLine(line), units);
  else key[part.bucket] += units;
  if (book.hasGroups) countGroups(key, part, units, 'stored');
}

function countLater(key: StockKey, part: ReservationPart, line: PartLine, due: Due, units: number): void {
  const rare = rareOf(key);
  rare.later ??= { lines: new Map(), dues: [], units: 0, late: 0, backordered: 0 };
  const { later } = rare;
  if (units > 0) later.lines.set(line, part);
  else later.lines.delete(line);
  count(later, line, due, units);
  if (later.lines.size === 0) rare.later = undefined;
  rare.timeline = undefined;
}

function count(later: Later, { date }: PartLine, due: Due, units: number): void {
  const wanted = date?.wanted ?? 0;
  later.units += units;
  if (due > wanted) later.late += units;
  if (wanted === END_OF_TIME) later.backordered += units;
  addUnits(later.dues, due, units);
}

/** Gives a line another moment, which binds from now on. @param moving the moment of a decision that is not stored yet */
export function moveLine(key: StockKey, line: PartLine, moving: Due | undefined): void {
  const { date } = line;
  const later = key.rare?.later;
  if (date === undefined || later === undefined || !later.lines.has(line)) return;
  count(later, line, dueOfLine(line), -line.claimed);
  date.moving = moving;
  count(later, line, dueOfLine(line), line.claimed);
  rareOf(key).timeline = undefined;
}

/** Counts units of a decision that is on its way to the journal. @param sign −1 once its outcome is known */
export function countPending(book: StockBook, pending: PendingUnits, sign: 1 | -1): void {
  const { key, units, due, groupUnits } = pending;
  if (due > 0 && units > 0) {
    const rare = rareOf(key);
    rare.pendingLater ??= [];
    addUnits(rare.pendingLater, due, sign * units);
    if (rare.pendingLater.length === 0) rare.pendingLater = undefined;
  } else key.pending += sign * units;
  if (sign > 0) book.inFlight.add(pending);
  else book.inFlight.delete(pending);
  if (book.hasGroups) countGroups(key, pending, sign * groupUnits, 'pending');
}

/** Begins to count what each group has, because a policy needs it (PH2). */
export function countAllGroups(book: StockBook): void {
  for (const part of book.parts.values())
    for (const line of [...part.lines, ...(part.next?.lines ?? [])])
      countGroups(line.key, part, line.claimed, 'stored');
  for (const pending of book.inFlight) countGroups(pending.key, pending, pending.groupUnits, 'pending');
}

function countGroups(
  key: StockKey,
  { channel, purpose }: Pick<ReservationPart, 'channel' | 'purpose'>,
  units: number,
  of: 'stored' | 'pending',
): void {
  if (units === 0) return;
  const rare = rareOf(key);
  rare.groups ??= new Map();
  // A reservation counts once in a group, even if its channel and its purpose are the same.
  for (const group of channel === purpose ? [channel] : [channel, purpose]) {
    const count = rare.groups.get(group) ?? { stored: 0, pending: 0 };
    rare.groups.set(group, count);
    count[of] += units;
    if (count.stored === 0 && count.pending === 0) rare.groups.delete(group);
  }
  if (rare.groups.size === 0) rare.groups = undefined;
}

/** Adds units at a moment of a list [due, units …] that is sorted by due. */
export function addUnits(dues: number[], due: Due, units: number): void {
  let i = dues.length;
  while (i > 0 && (dues[i - 2] as number) >= due) i -= 2;
  if (dues[i] !== due) dues.splice(i, 0, due, units);
  else if (dues[i + 1] === -units) dues.splice(i, 2);
  else dues[i + 1] = (dues[i + 1] as number) + units;
}

/** What the key gets and owes after now, by stored facts and decisions. */
export function timelineOf(book: StockBook, key: StockKey): Timeline {
  const { rare } = key;
  const { terms } = book;
  if (rare === undefined) return NOTHING_LATER;
  if (rare.timeline?.generation === terms.generation) return rare.timeline.items;
  let items = NOTHING_LATER;
  for (const { due, qty } of supplyOf(book, key)) items = withItem(items, due, qty);
  for (let i = 0; i < (rare.later?.dues.length ?? 0); i += 2)
    items = withItem(items, rare.later?.dues[i] as number, -(rare.later?.dues[i + 1] as number));
  rare.timeline = { items, generation: terms.generation };
  return items;
}

/** Whether a key has promised units for later, or awaits some. */
export function isPhased({ rare }: StockKey): boolean {
  if (rare === undefined) return false;
  return rare.later !== undefined || (rare.inbound?.size ?? 0) > 0 || (rare.ordered?.size ?? 0) > 0;
}

/** What is on its way to a key and not overdue by a decision. */
export function supplyOf({ terms }: StockBook, key: StockKey): Supply[] {
  return openSupply(key, (from, to) => laneTimeOf(terms, from, to));
}

/** For whom and when units are asked. */
export interface Ask extends Asker {
  /** Microseconds since 1970. */
  readonly now: number;
}

/** ATP(c, t) by what is stored. */
export function atpBy(book: StockBook, key: StockKey, ask: Ask, t: Due): number {
  const policy = book.terms.policies.of(key.sku.name, key.location);
  if (!serves(policy, ask)) return 0;
  const balance = {
    ready: key.sellable - key.held - key.allocated - policy.safetyStock,
    timeline: timelineOf(book, key),
    now: ask.now,
  };
  return Math.max(
    0,
    unclamped(balance, t, policy, ask, () => stored(book, key)),
  );
}

/** What may be promised without a date; undefined if the policy allows the asker no backorders. */
export function backorderableBy(book: StockBook, key: StockKey, ask: Ask): number | undefined {
  const policy = book.terms.policies.of(key.sku.name, key.location);
  const allowance = backorderAllowance(policy, ask);
  if (allowance === undefined) return undefined;
  if (!serves(policy, ask)) return 0;
  const ready = key.sellable - key.held - key.allocated - policy.safetyStock + allowance;
  const balance = { ready, timeline: timelineOf(book, key), now: ask.now };
  return Math.max(
    0,
    unclamped(balance, END_OF_TIME, policy, ask, () => stored(book, key)),
  );
}

/** Units that are kept at a key for groups to which the asker does not belong, by what is stored. */
export function keptAt(book: StockBook, key: StockKey, policy: KeyPolicy, asker: Asker): number {
  return policy.protect.size === 0 ? 0 : keptFromOthers(policy, asker, stored(book, key));
}

/**
 * Units that a new grant may take, with all decisions that are on their way to the journal. Negative if claims exceed it.
 * @param backorder whether the allowance for backorders counts, at END_OF_TIME
 * @param claims what the same request takes and gives back at this key
 */
export function roomFor(
  book: StockBook,
  key: StockKey,
  ask: Ask,
  t: Due,
  backorder: boolean,
  claims: readonly Claim[],
): number {
  const policy = book.terms.policies.of(key.sku.name, key.location);
  if (!serves(policy, ask)) return 0;
  const allowance = backorder && t === END_OF_TIME ? (backorderAllowance(policy, ask) ?? 0) : 0;
  // mutant: pending-promised-again
  let ready = key.sellable - key.held - key.allocated - key.pending - policy.safetyStock + allowance;
  let timeline = timelineOf(book, key);
  const pending = key.rare?.pendingLater;
  for (let i = 0; i < (pending?.length ?? 0); i += 2)
    timeline = withItem(timeline, pending?.[i] as number, -(pending?.[i + 1] as number));
  for (const { due, units } of claims) {
    if (due <= ask.now) ready -= units;
    else timeline = withItem(timeline, due, -units);
  }
  const active: () => ActiveUnits = () => {
    const groups = groupsOf(book, key);
    return (group) => {
      const count = groups?.get(group);
      let units = count === undefined ? 0 : count.stored + count.pending;
      for (const claim of claims) if (claim.channel === group || claim.purpose === group) units += claim.units;
      return units;
    };
  };
  return unclamped({ ready, timeline, now: ask.now }, t, policy, ask, active);
}

function unclamped(balance: Balance, t: Due, policy: KeyPolicy, asker: Asker, active: () => ActiveUnits): number {
  const least = leastNet(balance, t);
  if (policy.protect.size === 0 && policy.cap.size === 0) return least;
  const units = active();
  return Math.min(least - keptFromOthers(policy, asker, units), leftOfCap(policy, asker, units));
}

function stored(book: StockBook, key: StockKey): ActiveUnits {
  const groups = groupsOf(book, key);
  return (group) => groups?.get(group)?.stored ?? 0;
}

function groupsOf(book: StockBook, key: StockKey) {
  if (!book.hasGroups) {
    book.hasGroups = true;
    countAllGroups(book);
  }
  return key.rare?.groups;
}
