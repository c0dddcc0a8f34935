/**
 * Parameters of the detectors in actors/anomaly, each with its default and the reason for it. An operator changes them with the
 * setting `anomalies` (`name=value,name=value`). The statistical defaults were chosen on the months 2010-12 to 2011-03 of the real data
 * and measured on later ones: `npm run anomalies`.
 *
 * Probabilities are of the event under the model of the detector, for one stock key and one look.
 */
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export const ANOMALY_DEFAULTS = {
  /** Units below 0 from which negative stock is told of. One is enough: the book is certainly wrong. */
  negativeUnits: 1,
  /** Units below 0 from which it is critical. */
  negativeCriticalUnits: 10,
  /** Units promised beyond what is there from which it is told of: one customer is enough. */
  shortfallUnits: 1,

  /** A count's |z| from which it is told of: 1 of 16,000 counts of a location that is as it always was. */
  countZ: 4,
  /** A later count at or below this |z| ends it. */
  countClearZ: 2,
  /** A difference of one unit is a miscount, not a loss. */
  countUnits: 2,
  /** Counts that the prior is worth, and its variance per unit on the book: about one unit of every 25 is found wrong (ECR Retail Loss). */
  countPriorWeight: 20,
  countPriorVariance: 0.04,

  /** Time after which what a stock key sold counts for 1/e: a month, so that a season's rate is learned and left. */
  rateMemoryMs: 28 * DAY_MS,
  /** The same of the recent rate: where it is less, it is what a phantom is judged by, since a season that ends is none. */
  recentMemoryMs: 10 * DAY_MS,
  /** Nobody's rate is known better than that of a gamma with so many events: rates drift by about 1/√12 from week to week. */
  rateCertainty: 12,
  /** P(no sale for so long) from which stock on the book is taken for a phantom. */
  phantomTail: 1e-4,
  /** Decayed sales below which a stock key sells too seldom to tell. */
  phantomEvents: 20,
  /** No sale for less than this is no phantom, however fast it sells. */
  phantomMinMs: DAY_MS,
  /** P(at least so many sales in a day) from which it is a spike, and the one above which it is over. */
  spikeTail: 1e-7,
  spikeClearTail: 1e-3,
  /** Sales in a day below which it is no spike, however seldom it sells. */
  spikeEvents: 8,
  /** Business days of the location that must have been seen: before, a rate is a guess. */
  learnDays: 7,
  /** The same of returns: they are few, so fewer are many. */
  returnTail: 1e-6,
  returnClearTail: 1e-3,
  returnEvents: 3,
  /** Share of sales that come back, before anything is known of a location: about that of shops (NRF: 8 to 10 %), and the sales it is worth. */
  returnPriorShare: 0.08,
  returnPriorWeight: 20,

  /** ln of how many times a price must be outside the band of usual ones: 0.9 is two and a half times, or two fifths. */
  priceLog: 0.9,
  /** The same while fewer than `priceSales` sales are known: another list may ask three times as much. */
  priceLogNew: 1.4,
  priceSales: 40,
  /** Sales below which nothing is usual yet. */
  priceSalesLeast: 20,
  /** Weight of a new price in the mean, and part of its way that an unusual one widens the band. */
  priceWeight: 0.1,
  /** Part of the way to the mean that the band's ends go at each sale. */
  priceForget: 0.0005,
  /** Sales in a row at a usual price that end it. */
  priceClearSales: 2,

  /** Time past its date after which a transfer is overdue: a lorry is late by an hour or two every day. */
  overdueGraceMs: 4 * HOUR_MS,
  /** Time after a part has arrived in which the rest may still be booked. */
  transferSettleMs: 4 * HOUR_MS,
  /** Damaged share of a delivery from which it is told of, and units. */
  damagedShare: 0.05,
  damagedUnits: 1,
  /** A delivery that nobody settled is history after this. */
  receiptForgetMs: 30 * DAY_MS,

  /** A fact is late from here on: a till that was offline over lunch is not. */
  lateMs: 2 * HOUR_MS,
  /** Decayed share of late facts that raises, and that ends it. */
  lateShare: 0.5,
  lateClearShare: 0.2,
  /** Weight of one fact in that share: 14 late ones in a row raise it. */
  lateWeight: 0.05,

  /** P(silence for so long), by the source's own week. */
  silentTail: 1e-6,
  /** Silence of less is none. */
  silentMinMs: HOUR_MS,
  /** Dispersion of how much is heard: days differ, holidays more. */
  silentCertainty: 12,
  /** Time that a source must have been known, so that every hour of a week has been seen twice. */
  silentLearnMs: 14 * DAY_MS,
  /** Weight of a new week in the week's pattern. */
  silentWeight: 0.3,
  /** A source that was silent for so long is gone, not silent. */
  silentForgetMs: 60 * DAY_MS,

  /** Share of a stock key's sellable units that holds of one channel and purpose take, from which it is told of; and that ends it. */
  hoardShare: 0.8,
  hoardClearShare: 0.5,
  /** The same where holds of the SKU also run out unconfirmed more often than elsewhere. */
  hoardChurnShare: 0.3,
  hoardChurnClearShare: 0.15,
  /** P(so many of its holds run out), by the share of the whole partition. */
  hoardTail: 1e-4,
  /** Holds, and units, below which nobody hoards. */
  hoardHolds: 3,
  hoardUnits: 10,
  hoardExpired: 5,
  /** Share of holds that run out, before anything is known, and the holds it is worth: most carts are left (Baymard: 70 %). */
  hoardPriorShare: 0.5,
  hoardPriorWeight: 20,
  /** Time after which a hold that ended counts for 1/e. */
  hoardMemoryMs: 6 * HOUR_MS,
} as const;

export type AnomalyParameter = keyof typeof ANOMALY_DEFAULTS;
export type AnomalyParameters = { readonly [Name in AnomalyParameter]: number };

/** Bounds of what detectors remember, and what happens at them. */
export const ANOMALY_BOUNDS = {
  /** Open anomalies of one kind in one partition; those beyond are not told of one by one. */
  openPerKind: 2_000,
  /** Locations and devices known to one partition; the one heard of longest ago is forgotten. */
  sources: 5_000,
  /** SKUs whose holds are counted; the one longest ago is forgotten. */
  heldSkus: 2_000,
} as const;
