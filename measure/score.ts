/** Compares openings with labels and computes precision, recall and delay by kind. */
import type { AnomalyKind } from '../streams/contract/anomaly-kinds.ts';
import type { Fact } from '../streams/fact/fact.ts';
import type { Label } from './injections.ts';
import type { Opening, Played } from './run.ts';
import { HOUR, MINUTE } from './world.ts';

export interface Score {
  readonly kind: AnomalyKind;
  /** Injections asked for. There may be fewer, if there was no place for more. */
  readonly wanted: number;
  readonly injected: number;
  readonly found: number;
  /** Injected and found by cause, where a kind has several. */
  readonly causes: readonly { readonly cause: string; readonly injected: number; readonly found: number }[];
  /** Openings that no injection of the kind explains, on keys without any injection. */
  readonly falseAlarms: number;
  /** Openings of the kind on a key or a till to which another injection applied at that time. */
  readonly sideEffects: number;
  readonly precision: number | null;
  readonly recall: number | null;
  /** Median time from the cause to the opening, in hours. */
  readonly delayHours: number | null;
  /** Openings in the same months without injections: their number, and per 1,000 stock keys a day. */
  readonly untouched: number;
  readonly untouchedPerKeyDay: number;
  /** Those openings that later data confirms, because the SKU did stop selling. Only known for `phantom_stock`. */
  readonly borneOut: number | null;
}

/** Whether a SKU sold, in the four weeks after an opening, at most a quarter of its sales in the four weeks before its last sale. */
export class Stops {
  readonly #minutes = new Map<string, number[]>();

  constructor(facts: readonly Fact[]) {
    for (const { type, sku, at } of facts) {
      if (type !== 'sale') continue;
      const minutes = this.#minutes.get(sku) ?? [];
      if (minutes.at(-1) !== Math.floor(at / MINUTE)) minutes.push(Math.floor(at / MINUTE));
      this.#minutes.set(sku, minutes);
    }
  }

  bearsOut({ sku, at }: Opening): boolean {
    const minutes = this.#minutes.get(sku ?? '') ?? [];
    const now = Math.floor(at / MINUTE);
    const last = minutes.findLast((minute) => minute < now) ?? 0;
    const within = (from: number, to: number) => minutes.filter((minute) => minute > from && minute <= to).length;
    return within(now, now + FOUR_WEEKS) <= within(last - FOUR_WEEKS, last) / 4;
  }
}
const FOUR_WEEKS = 28 * 24 * 60;

export function score(
  kind: AnomalyKind,
  wanted: number,
  labels: readonly Label[],
  injected: Played,
  untouched: Played,
  stops: Stops,
): Score {
  const mine = labels.filter((label) => label.kind === kind);
  const openings = injected.openings.filter((opening) => opening.kind === kind);
  const delays: number[] = [];
  const causes = new Map<string, { cause: string; injected: number; found: number }>();
  const explained = new Set<Opening>();
  for (const label of mine) {
    const hits = openings.filter((opening) => fits(label, opening));
    for (const hit of hits) explained.add(hit);
    if (hits[0] !== undefined) delays.push((hits[0].at - label.from) / HOUR);
    if (label.cause === undefined) continue;
    const counts = causes.get(label.cause) ?? { cause: label.cause, injected: 0, found: 0 };
    counts.injected += 1;
    if (hits.length > 0) counts.found += 1;
    causes.set(label.cause, counts);
  }
  const others = openings.filter((opening) => !explained.has(opening));
  // The effect of an injection lasts, so openings up to a week after it count as side effects.
  const side = others.filter((opening) => labels.some((label) => touches(label, opening)));
  const falseAlarms = others.length - side.length;
  const before = untouched.openings.filter((opening) => opening.kind === kind);
  return {
    kind,
    wanted,
    injected: mine.length,
    found: delays.length,
    causes: [...causes.values()],
    falseAlarms,
    sideEffects: side.length,
    precision: explained.size + falseAlarms === 0 ? null : explained.size / (explained.size + falseAlarms),
    recall: mine.length === 0 ? null : delays.length / mine.length,
    delayHours: delays.length === 0 ? null : (delays.sort((a, b) => a - b)[Math.floor(delays.length / 2)] as number),
    untouched: before.length,
    untouchedPerKeyDay: (before.length / untouched.keyDays) * 1000,
    borneOut: kind === 'phantom_stock' ? before.filter((opening) => stops.bearsOut(opening)).length : null,
  };
}

function fits(label: Label, { sku, location, device, at }: Opening): boolean {
  return (
    label.sku === sku && label.location === location && label.device === device && at >= label.from && at <= label.until
  );
}

function touches(label: Label, { sku, device, at }: Opening): boolean {
  const same = label.sku === undefined ? label.device === device : label.sku === sku;
  return same && at >= label.from - 2 * 24 * HOUR && at <= label.until + 7 * 24 * HOUR;
}
