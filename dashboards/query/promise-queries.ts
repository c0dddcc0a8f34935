/** The list of promises for later. Each find function reads one partition, and the results of several are merged in the same order. */

import type { StockBook } from '../../actors/stock/book.ts';
import { END_OF_TIME } from '../../actors/stock/dated/atp.ts';
import { dueOfLine } from '../../actors/stock/dated/phased.ts';
import type { StockKey } from '../../actors/stock/state.ts';

/** Orders promises: SKU, location, reservation, index of the line. */
export type PromisePlace = readonly [sku: string, location: string, reservation: string, index: number];

export interface PromiseQuery {
  readonly state: 'late' | 'all';
  readonly sku?: string | undefined;
  readonly location?: string | undefined;
  readonly after?: PromisePlace | undefined;
  readonly limit: number;
}

/** Moments are in microseconds since 1970; null at the end of time. */
export interface FoundPromise {
  readonly place: PromisePlace;
  readonly line: string | null;
  readonly qty: number;
  readonly wanted: number | null;
  readonly was: number | null;
  readonly now: number | null;
  readonly cause: string | null;
}

export function findPromises(book: StockBook, query: PromiseQuery): FoundPromise[] {
  const entries = query.sku === undefined ? book.skus.values() : [book.skus.get(query.sku)];
  const found: FoundPromise[] = [];
  for (const entry of entries)
    for (const key of entry?.keys ?? [])
      if (key.rare?.later !== undefined && (query.location === undefined || key.location === query.location))
        found.push(...promisesAt(key, query));
  return found.sort(byPlace).slice(0, query.limit);
}

function promisesAt(key: StockKey, { state, after }: PromiseQuery): FoundPromise[] {
  const { sku, location, rare } = key;
  if (state === 'late' && rare?.later?.late === 0) return [];
  const found: FoundPromise[] = [];
  for (const [line, part] of rare?.later?.lines ?? []) {
    const [due, wanted] = [dueOfLine(line), line.date?.wanted ?? 0];
    const place = [sku.name, location, part.id, line.index] as const;
    if ((state === 'late' && due <= wanted) || (after !== undefined && comparePlaces(place, after) <= 0)) continue;
    const { was = due, cause = null } = line.date?.last ?? {};
    const moments = { wanted: moment(wanted), was: moment(was), now: moment(due) };
    found.push({ place, line: line.name ?? null, qty: line.claimed, ...moments, cause });
  }
  return found;
}

function moment(micros: number): number | null {
  return micros === END_OF_TIME ? null : micros;
}

export function mergePromises(parts: readonly (readonly FoundPromise[])[], limit: number): FoundPromise[] {
  return parts.flat().sort(byPlace).slice(0, limit);
}

function byPlace(a: FoundPromise, b: FoundPromise): number {
  return comparePlaces(a.place, b.place);
}

function comparePlaces(a: PromisePlace, b: PromisePlace): number {
  for (const i of [0, 1, 2] as const) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return a[3] - b[3];
}
