/**
 * The demo retailer as data. The sales of one month are real (ATTRIBUTION.md). Stores, stock, deliveries, transfers and callers are not
 * in the data set and are made up.
 */
export const DEMO = {
  /** Path from the folder of the package. */
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
  /** Speed of the retailer's time. Ten hours pass per minute, and the month takes about a quarter of an hour. */
  compress: 600,
  /** Nights and Sundays are cut to this, in the retailer's time, so that the live page keeps moving. */
  longestGapMs: 10 * 60_000,
  /** How long a client waits for a node before it asks another. */
  answerMs: 10_000,
  /** Shortest pause between two batches of facts, and so between two writes of the state file. */
  tickMs: 250,

  /** Units with which a warehouse stock key opens beyond what the month takes, for cycle counts that find a unit less. */
  openingSpare: 40,
  /** A store opens with the storefront's expected sales times this factor, and some units more. */
  storefrontCover: 1.5,
  storeOpening: { least: 4, most: 24 },
  /** Pairs of SKU and store that are carried, per thousand. */
  carriedPerThousand: 700,
  /**
   * Staged shortages. These SKUs open at the warehouse with this share of what the month takes, and the delivery of the rest is booked
   * late. Each goes below zero once, for the page to show, and recovers. No other stock key goes below zero.
   */
  staged: [
    { sku: '22086', opensWith: 0.2 },
    { sku: '22469', opensWith: 0.5 },
    { sku: '84029E', opensWith: 0.8 },
  ],
  /** Time from the sale that takes a staged SKU below zero to its delivery, in the retailer's time. */
  stagedDeliveryMs: 5 * 3_600_000,

  /** Movements per thousand rows of the month. */
  purchasesPerThousand: 50,
  transfersPerThousand: 25,
  storeReturnsPerThousand: 15,
  /** Time from a purchase to its delivery, and by how much some come later, in the retailer's time. */
  deliveryMs: 6 * 3_600_000,
  lateMs: 5 * 3_600_000,
  /** Deliveries per thousand that are late, and that are short. */
  latePerThousand: 100,
  shortPerThousand: 40,
  vendors: ['Dartington Pottery', 'Kettering Paper Co', 'Lister Tinware', 'Tideswell Textiles'],
  /** Time until a shipment arrives, and until what was sold comes back, in the retailer's time. */
  transferMs: 4 * 3_600_000,
  storeReturnMs: 3 * 3_600_000,
  /** Time between two cycle counts, in real time. */
  countEveryMs: 2_000,

  /**
   * The storefront's orders are collected at the stores. The real sales, which are facts and cannot be refused, come from the warehouse,
   * so no real sale takes a promised unit.
   */
  storefront: {
    callers: 16,
    atpPerSecond: 200,
    reservationsPerSecond: 40,
    /** Most lines per basket, and most units per line. */
    mostLines: 3,
    mostUnits: 3,
    /** Time after which an unconfirmed hold ends. */
    holdSeconds: 60,
    /** Shares of holds that are confirmed and released. The rest expire. */
    confirmed: 0.6,
    released: 0.25,
  },
} as const;

export type Demo = typeof DEMO;
