/**
 * The demo retailer as data: real sales of one month (ATTRIBUTION.md), and around them what the data set lacks and is
 * therefore made up: stores, stock, deliveries, transfers and callers.
 */
export const DEMO = {
  /** From the folder of the package. */
  month: 'config/demo/online-retail-2010-12.csv.gz',
  /** Where the real sales happen. */
  warehouse: 'uk-dc',
  locations: [
    {
      id: 'uk-dc',
      kind: 'dc',
      name: 'Midlands warehouse',
      lat: 52.48,
      lon: -1.89,
      timezone: 'Europe/London',
      services: ['ship'],
    },
    {
      id: 'store-london',
      kind: 'store',
      name: 'London',
      lat: 51.51,
      lon: -0.13,
      timezone: 'Europe/London',
      services: ['ship', 'pickup'],
    },
    {
      id: 'store-manchester',
      kind: 'store',
      name: 'Manchester',
      lat: 53.48,
      lon: -2.24,
      timezone: 'Europe/London',
      services: ['ship', 'pickup'],
    },
    {
      id: 'store-edinburgh',
      kind: 'store',
      name: 'Edinburgh',
      lat: 55.95,
      lon: -3.19,
      timezone: 'Europe/London',
      services: ['ship', 'pickup'],
    },
    {
      id: 'store-bristol',
      kind: 'store',
      name: 'Bristol',
      lat: 51.45,
      lon: -2.59,
      timezone: 'Europe/London',
      services: ['pickup'],
    },
  ],
  /** The retailer's time against ours: ten hours in a minute, so that the month takes about a quarter of an hour. */
  compress: 600,
  /** Nights and Sundays are cut to this, in the retailer's time: a live page should live. */
  longestGapMs: 10 * 60_000,
  /** How often what is due goes out, and so how often the state file is written. */
  tickMs: 250,

  /** Opening stock: what the month needs at the warehouse times this, with something for the storefront's callers. */
  openingCover: 1.1,
  openingSpare: 40,
  /** Of every thousand SKUs, so many open with a part of what they need, and sell out. */
  scarcePerThousand: 60,
  scarceCover: 0.6,
  /** Units of a SKU that a store which carries it opens with. */
  storeOpening: { least: 4, most: 24 },
  /** Of every thousand pairs of SKU and store, so many are carried. */
  carriedPerThousand: 400,

  /** Of every thousand rows of the month, so many bring about one of these. */
  receiptsPerThousand: 50,
  transfersPerThousand: 25,
  storeReturnsPerThousand: 15,
  /** After this, in the retailer's time, a shipment arrives, or what was bought comes back. */
  transferMs: 4 * 3_600_000,
  storeReturnMs: 3 * 3_600_000,
  /** Between two cycle counts, in our time. */
  countEveryMs: 2_000,

  storefront: {
    callers: 16,
    atpPerSecond: 200,
    reservationsPerSecond: 40,
    /** A hold that nobody confirms ends after this. */
    holdSeconds: 60,
    /** Shares of what becomes of a hold; the rest is left to expire. */
    confirmed: 0.6,
    released: 0.25,
  },
} as const;

export type Demo = typeof DEMO;
