/**
 * Encodes the KPI state that a partition keeps with its snapshot: windows, facts per second and days of last inbound. Sums that follow from
 * the book are not kept.
 *
 * The format is a version byte, then a MessagePack list. Bytes of an unknown version, damaged bytes, and bytes of a book with another
 * number of keys decode to undefined.
 */
import type { StockBook } from '../../actors/stock/book.ts';
import { decodeBody, encodeBody, MSGPACK_TYPE } from '../../streams/codec.ts';
import { Inbound } from './inbound/last-inbound.ts';
import { type VendorRow, Vendors } from './inbound/vendors.ts';
import type { LocationKpi } from './location.ts';
import { Seconds } from './seconds.ts';
import { type KeptWindows, Windows } from './windows.ts';

const VERSION = 3;
/** The version of Holdfast 0.1, which does not encode each location's windows separately. */
const VERSION_BEFORE = 2;

type Kept = [
  sinceMs: number | null,
  whole: KeptWindows,
  seconds: [number, number][],
  days: Uint8Array,
  locations: [location: string, heardAtMs: number, windows: KeptWindows][],
  /** Absent in the state of 0.2 and before. */
  vendors?: readonly VendorRow[],
];

export interface KeptKpi {
  readonly sinceMs: number | undefined;
  readonly whole: Windows;
  readonly seconds: Seconds;
  readonly inbound: Inbound;
  readonly vendors: Vendors;
  readonly locations: readonly Pick<LocationKpi, 'location' | 'heardAtMs' | 'windows'>[];
}

export function encodeKept(kpi: {
  readonly book: StockBook | undefined;
  readonly sinceMs: number | undefined;
  readonly whole: Windows;
  readonly seconds: Seconds;
  readonly inbound: Inbound;
  readonly vendors: Vendors;
  readonly locations: Iterable<LocationKpi>;
}): Uint8Array {
  const days = kpi.book === undefined ? new Int16Array(0) : kpi.inbound.keep(kpi.book);
  const kept: Kept = [
    kpi.sinceMs ?? null,
    kpi.whole.keep(),
    kpi.seconds.keep(),
    Buffer.from(days.buffer),
    Array.from(kpi.locations, ({ location, heardAtMs, windows }) => [location, heardAtMs, windows.keep()]),
    kpi.vendors.read(),
  ];
  return Buffer.concat([Uint8Array.of(VERSION), encodeBody(kept, MSGPACK_TYPE)]);
}

export function decodeKept(bytes: Uint8Array, book: StockBook): KeptKpi | undefined {
  if (bytes[0] !== VERSION && bytes[0] !== VERSION_BEFORE) return undefined;
  try {
    const [sinceMs, whole, seconds, days, locations, vendors = []] = decodeBody(
      bytes.subarray(1),
      MSGPACK_TYPE,
    ) as Kept;
    // Copied, because decoded bytes may start at an odd address and Int16Array needs an even one.
    const inbound = Inbound.load(book, new Int16Array(Uint8Array.from(days).buffer));
    if (inbound === undefined) return undefined;
    return {
      sinceMs: sinceMs ?? undefined,
      whole: Windows.load(whole),
      seconds: Seconds.load(seconds),
      vendors: Vendors.load(vendors),
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
