/**
 * What the KPIs of a partition keep with its snapshot: windows and days of last inbound. Sums that the book tells are not kept.
 *
 * Its form is a byte that says its version, then a MessagePack list. What is of another version, damaged, or of another book is none.
 */
import type { StockBook } from '../../actors/stock/book.ts';
import { decodeBody, encodeBody, MSGPACK_TYPE } from '../../streams/codec.ts';
import { Inbound } from './last-inbound.ts';
import type { LocationKpi } from './location.ts';
import { Seconds } from './seconds.ts';
import { type KeptWindows, Windows } from './windows.ts';

const VERSION = 3;
/** Of 0.1, in which windows are not encoded by themselves. */
const VERSION_BEFORE = 2;

type Kept = [
  sinceMs: number | null,
  whole: KeptWindows,
  seconds: [number, number][],
  days: Uint8Array,
  locations: [location: string, heardAtMs: number, windows: KeptWindows][],
];

export interface KeptKpi {
  readonly sinceMs: number | undefined;
  readonly whole: Windows;
  readonly seconds: Seconds;
  readonly inbound: Inbound;
  readonly locations: readonly Pick<LocationKpi, 'location' | 'heardAtMs' | 'windows'>[];
}

export function encodeKept(kpi: {
  readonly book: StockBook | undefined;
  readonly sinceMs: number | undefined;
  readonly whole: Windows;
  readonly seconds: Seconds;
  readonly inbound: Inbound;
  readonly locations: Iterable<LocationKpi>;
}): Uint8Array {
  const days = kpi.book === undefined ? new Int16Array(0) : kpi.inbound.keep(kpi.book);
  const kept: Kept = [
    kpi.sinceMs ?? null,
    kpi.whole.keep(),
    kpi.seconds.keep(),
    Buffer.from(days.buffer),
    Array.from(kpi.locations, ({ location, heardAtMs, windows }) => [location, heardAtMs, windows.keep()]),
  ];
  return Buffer.concat([Uint8Array.of(VERSION), encodeBody(kept, MSGPACK_TYPE)]);
}

export function decodeKept(bytes: Uint8Array, book: StockBook): KeptKpi | undefined {
  if (bytes[0] !== VERSION && bytes[0] !== VERSION_BEFORE) return undefined;
  try {
    const [sinceMs, whole, seconds, days, locations] = decodeBody(bytes.subarray(1), MSGPACK_TYPE) as Kept;
    // A copy: what is decoded need not lie at an even address.
    const inbound = Inbound.load(book, new Int16Array(Uint8Array.from(days).buffer));
    if (inbound === undefined) return undefined;
    return {
      sinceMs: sinceMs ?? undefined,
      whole: Windows.load(whole),
      seconds: Seconds.load(seconds),
      inbound,
      locations: locations.map(([location, heardAtMs, windows]) => ({
        location,
        heardAtMs,
        windows: Windows.load(windows),
      })),
    };
  } catch {
    return undefined;
  }
}
