/**
 * Sourcing: which location supplies the lines of a reservation, with how many units, and when they are due. Pure: the state goes in,
 * including grants that the journal has not stored yet; a plan or shortages come out.
 *
 * Lines of different SKUs never compete. For several lines of one SKU a bounded search looks for a plan that fills all of them.
 *
 * Invariant DE1: the units granted of a key never exceed what it may promise by their moment, or what the reservation gives up there.
 */
import { assert, at, present } from '../../streams/assert.ts';
import type { Shortage } from '../../streams/journal/stock-decisions.ts';
import type { StockBook } from './book.ts';
import { END_OF_TIME, risingMoments } from './dated/atp.ts';
import { momentAt, wantedBy } from './dated/moments.ts';
import { type Ask, type Claim, type Due, roomFor, timelineOf } from './dated/phased.ts';
import type { SkuEntry, StockKey } from './state.ts';

export interface WantedLine {
  /** Position in the request. */
  readonly index: number;
  readonly sku: string;
  readonly qty: number;
  /** In order of preference; undefined means any location. */
  readonly locations: readonly string[] | undefined;
  readonly split: boolean;
  /** The caller's own name for the line. */
  readonly name?: string | undefined;
  /** The day or moment by which the line is wanted, as text. */
  readonly by?: string | undefined;
  /** Whether the line may be promised without a date, beyond all that is there and on its way. */
  readonly backorder?: boolean | undefined;
  /** Units that the line has already, beside those that are wanted here. A shortage names both together. */
  readonly has?: number;
  /** Locations at which the line stays if it can. */
  readonly stays?: readonly string[];
}
export interface SourcedLine {
  readonly line: WantedLine;
  readonly key: StockKey;
  readonly qty: number;
  /** 0 if it is due now. */
  readonly due: Due;
}
/** A shortage as a refusal names it. */
export interface RefusedShortage extends Shortage {
  /** The first moment at which the line could have been promised, in microseconds since 1970; null if there is none. */
  readonly earliest?: number | null | undefined;
  /** SKUs that policies name instead. */
  readonly substitutes?: readonly { readonly sku: string; readonly available?: number | undefined }[] | undefined;
}
export interface Sourcing {
  /** Ordered by the request's lines. */
  readonly sourced: readonly SourcedLine[];
  readonly shortages: readonly RefusedShortage[];
}

/** The moment that a line asks for at a location, in microseconds since 1970. 0 without a date, END_OF_TIME for a backorder. */
export function wantedAt({ by, backorder }: WantedLine, book: StockBook, location: string): number {
  if (by !== undefined) return momentAt(wantedBy(by), book.terms.policies.location(location));
  return backorder === true ? END_OF_TIME : 0;
}

/** Steps of the search for lines that compete for one SKU. After that, the lines are filled one by one in their order. */
const SEARCH_STEPS = 2000;

/** Units of the keys of one SKU that lines may take, while they are being planned. */
class Rooms {
  readonly #book: StockBook;
  readonly #ask: Ask;
  readonly #given: ReadonlyMap<StockKey, readonly Claim[]> | undefined;
  readonly #taken = new Map<StockKey, readonly Claim[]>();

  /** @param given units that the reservation claims now and gives up for the plan, as negative claims */
  constructor(book: StockBook, ask: Ask, given: ReadonlyMap<StockKey, readonly Claim[]> | undefined) {
    this.#book = book;
    this.#ask = ask;
    this.#given = given;
  }

  /** Units that a line may take. */
  units(key: StockKey, line: WantedLine): number {
    const wanted = wantedAt(line, this.#book, key.location);
    return Math.max(0, this.unitsBy(key, line, wanted), this.#own(key, wanted));
  }

  /** Units that a line may take by a moment. */
  unitsBy(key: StockKey, { backorder = false }: Pick<WantedLine, 'backorder'>, t: Due): number {
    const given = this.#given?.get(key);
    const taken = this.#taken.get(key);
    const claims = given === undefined ? (taken ?? NO_CLAIMS) : taken === undefined ? given : [...given, ...taken];
    return roomFor(this.#book, key, this.#ask, t, backorder, claims);
  }

  take(line: WantedLine, key: StockKey, qty: number): SourcedLine {
    assert(this.units(key, line) >= qty, 'DE1');
    const wanted = wantedAt(line, this.#book, key.location);
    // A backorder whose units are there waits for nothing.
    const isNow =
      wanted <= this.#ask.now || (wanted === END_OF_TIME && this.unitsBy(key, NO_BACKORDER, this.#ask.now) >= qty);
    const due = isNow ? 0 : wanted;
    const { channel, purpose } = this.#ask;
    this.#taken.set(key, [...(this.#taken.get(key) ?? []), { due, units: qty, channel, purpose }]);
    return { line, key, qty, due };
  }

  /** Takes back what was last taken from a key. */
  giveBack(key: StockKey): void {
    this.#taken.set(key, (this.#taken.get(key) ?? []).slice(0, -1));
  }

  /** The moments at which a key may be able to promise more. */
  moments(key: StockKey): number[] {
    return risingMoments({ ready: 0, timeline: timelineOf(this.#book, key), now: this.#ask.now });
  }

  /** The SKUs that policies name instead, wherever the line could have come from. */
  substitutes({ sku, locations = [''] }: WantedLine, keys: readonly StockKey[]): { sku: string }[] {
    const places = keys.length > 0 ? keys.map(({ location }) => location) : locations;
    const { policies } = this.#book.terms;
    return [...new Set(places.flatMap((place) => policies.of(sku, place).substitutes))].map((each) => ({ sku: each }));
  }

  /** Own units of a key that are left. The reservation can have them again, even if the key has promised too much. */
  #own(key: StockKey, t: Due): number {
    const given = this.#given?.get(key);
    if (given === undefined) return -1;
    const sum = (claims: readonly Claim[]) => claims.reduce((units, claim) => units + claim.units, 0);
    return -sum(given.filter(({ due }) => due <= t)) - sum(this.#taken.get(key) ?? NO_CLAIMS);
  }
}

const NO_CLAIMS: readonly Claim[] = [];
const NO_BACKORDER = { backorder: false };

/**
 * Plans which location supplies what. Without `partial`, the plan is valid only if it has no shortages.
 * A line goes to the first of its named locations that has enough. If it names none, it goes to the location that has most.
 * @param given units that the reservation claims now and gives up for this plan, as negative claims
 */
export function sourceLines(
  lines: readonly WantedLine[],
  bookOf: (sku: string) => StockBook,
  ask: Ask,
  partial: boolean,
  given?: ReadonlyMap<StockKey, readonly Claim[]>,
): Sourcing {
  const sourced: SourcedLine[] = [];
  const shortages: RefusedShortage[] = [];
  for (const group of bySku(lines)) {
    const { sku } = at(group, 0);
    const book = bookOf(sku);
    const entry = book.skus.get(sku);
    const fit = group.length > 1 ? searchFit(group, entry, new Rooms(book, ask, given)) : undefined;
    const rooms = new Rooms(book, ask, given);
    if (fit !== undefined) for (const { line, key, qty } of fit) sourced.push(rooms.take(line, key, qty));
    else for (const line of group) sourceLine(line, entry, rooms, partial, sourced, shortages);
  }
  sourced.sort((a, b) => a.line.index - b.line.index);
  return { sourced, shortages };
}

function bySku(lines: readonly WantedLine[]): Iterable<WantedLine[]> {
  if (lines.length === 1) return [[at(lines, 0)]];
  const groups = new Map<string, WantedLine[]>();
  for (const line of lines) {
    const group = groups.get(line.sku);
    if (group === undefined) groups.set(line.sku, [line]);
    else group.push(line);
  }
  return groups.values();
}

function sourceLine(
  line: WantedLine,
  entry: SkuEntry | undefined,
  rooms: Rooms,
  partial: boolean,
  sourced: SourcedLine[],
  shortages: RefusedShortage[],
): void {
  const keys = candidates(line, entry, rooms);
  const short = (units: number) => {
    const has = line.has ?? 0;
    const { sku } = line;
    const shortage = { sku, requested: line.qty + has, available: units + has, earliest: earliest(line, keys, rooms) };
    const substitutes = rooms.substitutes(line, keys);
    shortages.push(substitutes.length === 0 ? shortage : { ...shortage, substitutes });
  };
  if (line.split) {
    const sum = keys.reduce((units, key) => units + rooms.units(key, line), 0);
    if (sum < line.qty) short(sum);
    if (sum < line.qty && !partial) return;
    let left = Math.min(line.qty, sum);
    for (const key of keys) {
      const units = Math.min(left, rooms.units(key, line));
      if (units > 0) sourced.push(rooms.take(line, key, units));
      left -= units;
    }
    return;
  }
  const whole = keys.find((key) => rooms.units(key, line) >= line.qty);
  if (whole !== undefined) {
    sourced.push(rooms.take(line, whole, line.qty));
    return;
  }
  const best = keys.reduce<StockKey | undefined>(
    (most, key) => (most !== undefined && rooms.units(most, line) >= rooms.units(key, line) ? most : key),
    undefined,
  );
  const units = best === undefined ? 0 : rooms.units(best, line);
  short(units);
  if (partial && best !== undefined && units > 0) sourced.push(rooms.take(line, best, units));
}

/** The first moment at which a line could be promised. ATP never falls with time (TA3), so the first moment that has enough is the answer. */
function earliest(line: WantedLine, keys: readonly StockKey[], rooms: Rooms): number | null {
  const moments = [...new Set(keys.flatMap((key) => rooms.moments(key)))].sort((a, b) => a - b);
  const isEnough = (t: Due) => {
    const units = keys.map((key) => Math.max(0, rooms.unitsBy(key, NO_BACKORDER, t)));
    return line.split ? units.reduce((sum, each) => sum + each, 0) >= line.qty : units.some((each) => each >= line.qty);
  };
  return moments.find(isEnough) ?? null;
}

/** Keys that may supply a line, in order of preference. */
function candidates(line: WantedLine, entry: SkuEntry | undefined, rooms: Rooms): StockKey[] {
  const keys = allowed(line, entry, rooms);
  const { stays } = line;
  if (stays === undefined) return keys;
  return [...keys].sort((a, b) => Number(stays.includes(b.location)) - Number(stays.includes(a.location)));
}

function allowed(line: WantedLine, entry: SkuEntry | undefined, rooms: Rooms): StockKey[] {
  if (entry === undefined) return [];
  if (line.locations === undefined) {
    if (entry.keys.length === 1) return entry.keys;
    const units = new Map(entry.keys.map((key) => [key, rooms.units(key, line)]));
    return [...entry.keys].sort((a, b) => present(units.get(b)) - present(units.get(a)));
  }
  const keys: StockKey[] = [];
  for (const location of line.locations) {
    const key = entry.keys.find((each) => each.location === location);
    if (key !== undefined && !keys.includes(key)) keys.push(key);
  }
  return keys;
}

interface Share {
  readonly line: WantedLine;
  readonly key: StockKey;
  readonly qty: number;
}

/** Fits competing lines of one SKU. Tries combinations until every line is whole, or gives up. Split lines share what the others leave. */
function searchFit(group: readonly WantedLine[], entry: SkuEntry | undefined, rooms: Rooms): Share[] | undefined {
  const order = [...group].sort((a, b) => Number(a.split) - Number(b.split));
  let steps = 0;
  const fill = (at: number): Share[] | undefined => {
    const line = order[at];
    if (line === undefined) return [];
    // Units that are due at different moments cannot be exchanged.
    if (line.split && !sameMoment(order)) return undefined;
    if (line.split) return shareOut(order.slice(at), entry, rooms, () => steps++ <= SEARCH_STEPS);
    for (const key of candidates(line, entry, rooms)) {
      if (steps++ > SEARCH_STEPS) return undefined;
      if (rooms.units(key, line) < line.qty) continue;
      rooms.take(line, key, line.qty);
      const rest = fill(at + 1);
      if (rest !== undefined) return [{ line, key, qty: line.qty }, ...rest];
      rooms.giveBack(key);
    }
    return undefined;
  };
  return fill(0);
}

function sameMoment([first, ...others]: readonly WantedLine[]): boolean {
  return others.every(({ by, backorder }) => by === first?.by && backorder === first?.backorder);
}

/** Fills split lines in turn, each from its candidates in order. A line that finds no units left moves earlier lines to other keys. */
function shareOut(
  lines: readonly WantedLine[],
  entry: SkuEntry | undefined,
  rooms: Rooms,
  goOn: () => boolean,
): Share[] | undefined {
  const shares: {
    readonly line: WantedLine;
    readonly keys: readonly StockKey[];
    readonly units: Map<StockKey, number>;
  }[] = [];
  const used = new Map<StockKey, number>();
  const rest = (key: StockKey, line: WantedLine) => rooms.units(key, line) - (used.get(key) ?? 0);
  /** Gives a share up to `wanted` units of one key, and returns how many it gave. */
  const give = (share: (typeof shares)[number], wanted: number, asked: Set<StockKey>): number => {
    for (const key of share.keys) {
      if (asked.has(key)) continue;
      asked.add(key);
      let units = Math.max(0, Math.min(wanted, rest(key, share.line)));
      used.set(key, (used.get(key) ?? 0) + units);
      for (const other of shares) {
        const theirs = other === share ? 0 : (other.units.get(key) ?? 0);
        if (units > 0 || theirs === 0) continue;
        if (!goOn()) break;
        units = give(other, Math.min(wanted, theirs), asked);
        other.units.set(key, theirs - units);
      }
      share.units.set(key, (share.units.get(key) ?? 0) + units);
      if (units > 0) return units;
    }
    return 0;
  };
  for (const line of lines) {
    const share = { line, keys: candidates(line, entry, rooms), units: new Map<StockKey, number>() };
    shares.push(share);
    for (let left = line.qty; left > 0; ) {
      const units = give(share, left, new Set());
      if (units === 0) return undefined;
      left -= units;
    }
  }
  return shares.flatMap(({ line, keys, units }) => {
    return keys.filter((key) => (units.get(key) ?? 0) > 0).map((key) => ({ line, key, qty: present(units.get(key)) }));
  });
}
