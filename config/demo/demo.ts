/**
 * The demo retailer as data: real sales of one month (ATTRIBUTION.md), and around them what the data set does not have and is
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
  /** A node that is silent for so long is left for another. */
  answerMs: 10_000,
  /** How often what is due goes out, and so how often the state file is written. */
  tickMs: 250,

  /** Every stock key opens with all that the month takes from it, and this more for cycle counts that find a unit less. */
  openingSpare: 40,
  /** A store that carries a SKU opens with what the storefront is expected to sell there times this, and some units more. */
  storefrontCover: 1.5,
  storeOpening: { least: 4, most: 24 },
  /** Of every thousand pairs of SKU and store, so many are carried. */
  carriedPerThousand: 700,
  /**
   * Staged shortages: these SKUs open at the warehouse with this share of what the month takes, and the delivery of the rest is booked
   * late. Each goes below zero once, so that the page shows how that looks, and recovers. No other stock key does.
   */
  staged: [
    { sku: '22086', opensWith: 0.2 },
    { sku: '22469', opensWith: 0.5 },
    { sku: '84029E', opensWith: 0.8 },
  ],
  /** From the sale that takes a staged SKU below zero to its delivery, in the retailer's time. */
  stagedDeliveryMs: 5 * 3_600_000,

  /** Of every thousand rows of the month, so many bring about one of these. */
  receiptsPerThousand: 50,
  transfersPerThousand: 25,
  storeReturnsPerThousand: 15,
  /** After this, in the retailer's time, a shipment arrives, or what was bought comes back. */
  transferMs: 4 * 3_600_000,
  storeReturnMs: 3 * 3_600_000,
  /** Between two cycle counts, in our time. */
  countEveryMs: 2_000,

  /**
   * Its orders are collected at the stores. The warehouse serves the real sales, which are facts and cannot be refused, so nobody is
   * promised a unit that a real sale takes away.
   */
  storefront: {
    callers: 16,
    atpPerSecond: 200,
    reservationsPerSecond: 40,
    /** A basket has at most this many lines, and a line at most this many units. */
    mostLines: 3,
    mostUnits: 3,
    /** A hold that nobody confirms ends after this. */
    holdSeconds: 60,
    /** Shares of what becomes of a hold; the rest is left to expire. */
    confirmed: 0.6,
    released: 0.25,
  },
} as const;

export type Demo = typeof DEMO;
