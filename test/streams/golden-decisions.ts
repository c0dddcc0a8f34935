/** The decisions on reservations of version 0.2, as the golden records hold them. */
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';

const STANDING = {
  id: 'cart-77 ✓',
  attempt: [9, 4_000_000_000],
  content: { hi: 4_294_967_295, lo: 1 },
  channel: 'web',
  purpose: 'order',
  atMs: 1_795_511_702_000,
  grantedAtMs: 1_795_511_700_123,
  expiresAtMs: 1_795_512_600_123,
  confirmedAtMs: 1_795_511_701_000,
  releasedAtMs: 0,
  expiredAtMs: 0,
  home: 31,
  participants: [3, 17],
  following: [17],
  parts: [
    [3, 5],
    [31, 9],
  ],
  lines: [
    {
      index: 0,
      name: 'a',
      sku: '85123A',
      location: 'store-12',
      qty: 2,
      fulfilled: 1,
      partition: 3,
      epoch: 5,
      seq: 18_244,
    },
    {
      index: 8_192,
      name: undefined,
      sku: 'Teekanne grün',
      location: '東京 1',
      qty: 1_000_000_000,
      fulfilled: 0,
      partition: 17,
      epoch: 70_000,
      seq: 9_007_199_254_740_991,
    },
  ],
  counted: [{ sku: '85123A', location: 'store-12', sold: 2, reopened: 1 }],
  shortages: [{ sku: '71053', requested: 3, available: 0 }],
  releases: ['r-1'],
} as const;
export const RESERVATION_DECISIONS = {
  begun: {
    kind: 'begun',
    id: 'cart-77 ✓',
    attempt: [9, 7],
    atMs: 1_795_511_700_123,
    participants: [3, 17],
    parts: [[31, 9]],
  },
  grown: { ...STANDING, kind: 'grown' },
  stands: { ...STANDING, kind: 'stands' },
  undone: { kind: 'undone', id: 'cart-77 ✓', attempt: [9, 7], atMs: 1_795_511_702_000, parts: [[3, 5]] },
  settled: { kind: 'settled', id: 'cart-77 ✓', attempt: [9, 7], atMs: 1_795_511_702_000, parts: [[31, 9]] },
} satisfies Readonly<Record<string, StockDecision>>;
