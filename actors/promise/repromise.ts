/**
 * Makes the later promises of one stock key again: which moment each line gets. Pure.
 *
 * If some line can no longer have its units by its moment, all dated lines are made again, ordered by priority, wanted moment, time of
 * placement and id. Each gets the earliest moment, not before the wanted one, at which all of it fits beside those before it, or none.
 * Otherwise only lines that had been moved later are improved, in the same order, and none of them makes another one later. A line whose
 * moment has come takes its units. Backorders take theirs, oldest first, as soon as all of them are there and no dated line needs them.
 *
 * Safety stock and protection do not count against promises that were made. Decisions on their way to the journal count.
 *
 * The result depends on the book alone, not on what had changed. While some of the decisions of a run are stored and others are not, the
 * book says so, and all dated lines are made again. So a run that a crash has cut off comes to the same end.
 *
 * Source: the contract, "Promises over time"; SAP, backorder processing with the strategy "redistribute".
 */

import type { StockBook } from '../stock/book.ts';
import { END_OF_TIME } from '../stock/dated/atp.ts';
import { addUnits, type Due, dueOfLine, supplyOf } from '../stock/dated/phased.ts';
import type { Later, PartLine, ReservationPart, StockKey } from '../stock/state.ts';

export interface Move {
  readonly part: ReservationPart;
  readonly line: PartLine;
  readonly was: Due;
  /** 0 if the line takes its units now. END_OF_TIME if no moment is known. */
  readonly now: Due;
}

export interface Remade {
  readonly moves: readonly Move[];
  /** Whether all dated lines were made again. Then a part of the moves must not pass for the whole. */
  readonly all: boolean;
}

const NOTHING: Remade = { moves: [], all: false };

/** A line that is promised for later. */
interface Promised {
  readonly part: ReservationPart;
  readonly line: PartLine;
  readonly wanted: number;
  readonly was: Due;
  readonly priority: number;
}

/** Units that are free from now on, by moment. */
class Free {
  #ready: number;
  /** [due, delta …] of what comes and goes after now. */
  readonly #changes: number[] = [];
  readonly #now: number;
  /** When more may be free. Ascending. */
  readonly rises: number[] = [];

  constructor(ready: number, now: number) {
    this.#ready = ready;
    this.#now = now;
  }

  supply(due: Due, units: number): void {
    if (due < this.#now) return;
    addUnits(this.#changes, due, units);
    this.rises.push(due);
  }

  /** Takes units from a moment on; negative units give back. What has no moment takes nothing. */
  take(due: Due, units: number): void {
    if (due === END_OF_TIME) return;
    if (due <= this.#now) this.#ready -= units;
    else addUnits(this.#changes, due, -units);
  }

  /** The least units that are free at any moment from t on. */
  from(t: Due): number {
    let free = this.#ready;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#changes.length; i += 2) {
      if ((this.#changes[i] as number) > Math.max(t, this.#now)) least = Math.min(least, free);
      free += this.#changes[i + 1] as number;
    }
    return Math.min(least, free);
  }

  /** The first moment from `wanted` on at which units are free for good. */
  earliest(wanted: number, units: number): Due {
    const from = Math.max(wanted, this.#now);
    if (this.from(from) >= units) return from;
    return this.rises.find((due) => due > from && this.from(due) >= units) ?? END_OF_TIME;
  }
}

/** Whether no promise of a key has to change now. It looks at no single line. */
function isSettled({ dues, late, backordered }: Later, free: Free, now: number): boolean {
  const first = dues.find((due, i) => i % 2 === 0 && due > 0) ?? END_OF_TIME;
  if (late > 0 || first <= now) return false;
  for (let i = 0; i < dues.length; i += 2)
    if ((dues[i] as number) > 0) free.take(dues[i] as number, dues[i + 1] as number);
  return (first === END_OF_TIME || free.from(first) >= 0) && (backordered === 0 || free.from(now) <= 0);
}

/** @param now microseconds since 1970 */
export function remake(book: StockBook, key: StockKey, now: number): Remade {
  const { later, remaking = false } = key.rare ?? {};
  if (later === undefined || (!remaking && isSettled(later, freeAt(book, key, now), now))) return NOTHING;
  const all = promisesAt(book, key);
  const dated = all.filter(({ wanted }) => wanted < END_OF_TIME);
  const free = freeAt(book, key, now);
  for (const { was, line } of dated) free.take(was, line.claimed);
  const first = dated.reduce((least, { was }) => Math.min(least, was), END_OF_TIME);
  const isBroken = remaking || (first < END_OF_TIME && free.from(first) < 0);
  const dues = new Map<Promised, Due>();
  if (isBroken) for (const { was, line } of dated) free.take(was, -line.claimed);
  for (const each of dated) {
    const { was, wanted, line } = each;
    if (!isBroken && was <= wanted) {
      dues.set(each, was <= now ? 0 : was);
      continue;
    }
    if (!isBroken) free.take(was, -line.claimed);
    const due = free.earliest(wanted, line.claimed);
    free.take(due, line.claimed);
    dues.set(each, due <= now ? 0 : due);
  }
  takeBackorders(all, free, dues, now);
  const moves = [...dues].map(([{ part, line, was }, due]) => ({ part, line, was, now: due }));
  // What becomes later goes first, so that the promises hold together after every single move.
  const changed = moves.filter((move) => move.now !== move.was);
  return { moves: changed.sort((a, b) => Number(b.now > b.was) - Number(a.now > a.was)), all: isBroken };
}

/** A backorder waits for all that are older, and for dated lines without a moment. */
function takeBackorders(all: readonly Promised[], free: Free, dues: Map<Promised, Due>, now: number): void {
  let needed = 0;
  for (const [{ line }, due] of dues) if (due === END_OF_TIME) needed += line.claimed;
  const backorders = all.filter(({ wanted }) => wanted === END_OF_TIME).sort(byAge);
  for (const each of backorders) {
    needed += each.line.claimed;
    if (free.from(now) < needed) return;
    dues.set(each, 0);
  }
}

function freeAt(book: StockBook, key: StockKey, now: number): Free {
  const free = new Free(key.sellable - key.held - key.allocated - key.pending, now);
  for (const { due, qty } of supplyOf(book, key)) free.supply(due, qty);
  free.rises.sort((a, b) => a - b);
  const pending = key.rare?.pendingLater ?? [];
  for (let i = 0; i < pending.length; i += 2) free.take(pending[i] as number, pending[i + 1] as number);
  // Lines that take their units by a decision on its way to the journal.
  const dues = key.rare?.later?.dues ?? [];
  if (dues[0] === 0) free.take(0, dues[1] as number);
  return free;
}

/** The lines that are due later, in the order in which they are made again. */
function promisesAt({ terms }: StockBook, key: StockKey): Promised[] {
  const { priority } = terms.policies.of(key.sku.name, key.location);
  const rank = (group: string) => priority.get(group) ?? Number.POSITIVE_INFINITY;
  const all: Promised[] = [];
  for (const [line, part] of key.rare?.later?.lines ?? []) {
    const was = dueOfLine(line);
    const first = Math.min(rank(part.channel), rank(part.purpose));
    // A line that is about to take its units has no moment any more.
    if (was > 0) all.push({ part, line, wanted: line.date?.wanted ?? 0, was, priority: first });
  }
  return all.sort((a, b) => compare(a.priority, b.priority) || a.wanted - b.wanted || byAge(a, b));
}

function byAge(a: Promised, b: Promised): number {
  return a.part.grantedAtMs - b.part.grantedAtMs || compare(a.part.id, b.part.id) || a.line.index - b.line.index;
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
