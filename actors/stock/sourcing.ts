/**
 * Sourcing: which location supplies the lines of a reservation, and with how many units. Pure: the state goes in, including grants that
 * the journal has not stored yet; a plan or shortages come out.
 *
 * Lines of different SKUs never compete. For several lines of one SKU a bounded search looks for a plan that fills all of them.
 *
 * Invariant DE1: the units granted of a key never exceed its free units.
 */
import { assert, at, present } from '../../streams/assert.ts';
import type { Shortage } from '../../streams/journal/stock-decisions.ts';
import type { Policies } from '../policy/policy.ts';
import { free } from './availability.ts';
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
  /** Units that the line has already, beside those that are wanted here. A shortage names both together. */
  readonly has?: number;
  /** Locations at which the line stays if it can. */
  readonly stays?: readonly string[];
}
export interface SourcedLine {
  readonly line: WantedLine;
  readonly key: StockKey;
  readonly qty: number;
}
export interface Sourcing {
  /** Ordered by the request's lines. */
  readonly sourced: readonly SourcedLine[];
  readonly shortages: readonly Shortage[];
}

/** Steps of the search for lines that compete for one SKU. After that, the lines are filled one by one in their order. */
const SEARCH_STEPS = 2000;

/** Units of a key that the lines may take: the free ones, and those that the reservation itself gives up. */
type Room = (key: StockKey) => number;

/**
 * Plans which location supplies what. Without `partial`, the plan is valid only if it has no shortages.
 * A line goes to the first of its named locations that has enough. If it names none, it goes to the location that has most.
 * @param given units that the reservation claims now and gives up for this plan
 */
export function sourceLines(
  lines: readonly WantedLine[],
  find: (sku: string) => SkuEntry | undefined,
  partial: boolean,
  given?: ReadonlyMap<StockKey, number>,
  policies?: Policies,
): Sourcing {
  const sourced: SourcedLine[] = [];
  const shortages: Shortage[] = [];
  const used = new Map<StockKey, number>();
  const all: Room = (key) => Math.max(0, free(key, policies)) + (given?.get(key) ?? 0);
  for (const group of bySku(lines)) {
    const entry = find(at(group, 0).sku);
    const fit = group.length > 1 ? searchFit(group, entry, all) : undefined;
    if (fit !== undefined) sourced.push(...fit);
    else for (const line of group) sourceLine(line, entry, all, used, partial, sourced, shortages);
  }
  sourced.sort((a, b) => a.line.index - b.line.index);
  mustBeFree(sourced, all);
  return { sourced, shortages };
}

function mustBeFree(sourced: readonly SourcedLine[], all: Room): void {
  const units = new Map<StockKey, number>();
  for (const { key, qty } of sourced) {
    const sum = (units.get(key) ?? 0) + qty;
    assert(sum <= all(key), 'DE1');
    units.set(key, sum);
  }
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
  all: Room,
  used: Map<StockKey, number>,
  partial: boolean,
  sourced: SourcedLine[],
  shortages: Shortage[],
): void {
  const room = (key: StockKey) => all(key) - (used.get(key) ?? 0);
  const has = line.has ?? 0;
  const take = (key: StockKey, qty: number) => {
    used.set(key, (used.get(key) ?? 0) + qty);
    sourced.push({ line, key, qty });
  };
  const keys = candidates(line, entry, room);
  if (line.split) {
    const sum = keys.reduce((units, key) => units + room(key), 0);
    if (sum < line.qty) shortages.push({ sku: line.sku, requested: line.qty + has, available: sum + has });
    if (sum < line.qty && !partial) return;
    let left = Math.min(line.qty, sum);
    for (const key of keys) {
      const units = Math.min(left, room(key));
      if (units > 0) take(key, units);
      left -= units;
    }
    return;
  }
  const whole = keys.find((key) => room(key) >= line.qty);
  if (whole !== undefined) {
    take(whole, line.qty);
    return;
  }
  const best = keys.reduce<StockKey | undefined>(
    (most, key) => (most !== undefined && room(most) >= room(key) ? most : key),
    undefined,
  );
  const units = best === undefined ? 0 : room(best);
  shortages.push({ sku: line.sku, requested: line.qty + has, available: units + has });
  if (partial && best !== undefined && units > 0) take(best, units);
}

/** Keys that may supply a line, in order of preference. */
function candidates(line: WantedLine, entry: SkuEntry | undefined, room: Room): StockKey[] {
  const keys = allowed(line, entry, room);
  const { stays } = line;
  if (stays === undefined) return keys;
  return [...keys].sort((a, b) => Number(stays.includes(b.location)) - Number(stays.includes(a.location)));
}

function allowed(line: WantedLine, entry: SkuEntry | undefined, room: Room): StockKey[] {
  if (entry === undefined) return [];
  if (line.locations === undefined) {
    return entry.keys.length === 1 ? entry.keys : [...entry.keys].sort((a, b) => room(b) - room(a));
  }
  const keys: StockKey[] = [];
  for (const location of line.locations) {
    const key = entry.keys.find((each) => each.location === location);
    if (key !== undefined && !keys.includes(key)) keys.push(key);
  }
  return keys;
}

/** Fits competing lines of one SKU. Tries combinations until every line is whole, or gives up. Split lines share what the others leave. */
function searchFit(group: readonly WantedLine[], entry: SkuEntry | undefined, all: Room): SourcedLine[] | undefined {
  const order = [...group].sort((a, b) => Number(a.split) - Number(b.split));
  const used = new Map<StockKey, number>();
  const room = (key: StockKey) => all(key) - (used.get(key) ?? 0);
  let steps = 0;
  const fill = (at: number): SourcedLine[] | undefined => {
    const line = order[at];
    if (line === undefined) return [];
    if (line.split) return shareOut(order.slice(at), entry, room, () => steps++ <= SEARCH_STEPS);
    for (const key of candidates(line, entry, room)) {
      if (steps++ > SEARCH_STEPS) return undefined;
      if (room(key) < line.qty) continue;
      used.set(key, (used.get(key) ?? 0) + line.qty);
      const rest = fill(at + 1);
      if (rest !== undefined) return [{ line, key, qty: line.qty }, ...rest];
      used.set(key, (used.get(key) ?? 0) - line.qty);
    }
    return undefined;
  };
  return fill(0);
}

/** Fills split lines in turn, each from its candidates in order. A line that finds no units left moves earlier lines to other keys. */
function shareOut(
  lines: readonly WantedLine[],
  entry: SkuEntry | undefined,
  room: (key: StockKey) => number,
  goOn: () => boolean,
): SourcedLine[] | undefined {
  const shares: {
    readonly line: WantedLine;
    readonly keys: readonly StockKey[];
    readonly units: Map<StockKey, number>;
  }[] = [];
  const used = new Map<StockKey, number>();
  const rest = (key: StockKey) => room(key) - (used.get(key) ?? 0);
  /** Gives a share up to `wanted` units of one key, and returns how many it gave. */
  const give = (share: (typeof shares)[number], wanted: number, asked: Set<StockKey>): number => {
    for (const key of share.keys) {
      if (asked.has(key)) continue;
      asked.add(key);
      let units = Math.min(wanted, rest(key));
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
    const share = { line, keys: candidates(line, entry, rest), units: new Map<StockKey, number>() };
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
