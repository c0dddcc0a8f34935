/**
 * Parameters of the detectors in actors/anomaly, each with its default and the reason for it. An operator changes them with the
 * setting `anomalies` (`name=value,name=value`). We chose the statistical defaults on the months 2010-12 to 2011-03 of the real data
 * (those of prices on 2010-12 to 2011-06) and measured them on later months with `npm run anomalies`.
 *
 * Each probability is that of the event under the detector's model, for one stock key and one look.
 */
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export const ANOMALY_DEFAULTS = {
  /** Units below 0 from which negative stock is reported. One is enough, because the book is certainly wrong. */
  negativeUnits: 1,
  /** Units below 0 from which it is critical. */
  /** Units promised and not there from which a shortfall is reported. One customer is enough. */
  shortfallUnits: 1,

  /** |z| of a count from which its variance is reported. 1 of 16,000 counts without a loss reaches it. */
  countZ: 4,
  /** A difference of one unit is a miscount, not a loss. */
  countUnits: 2,
  /** Variance of a count per recorded unit, because about one unit in 25 is found wrong (ECR Retail Loss). */
  countVariance: 0.04,

  /** Time after which a sale's weight has decayed to 1/e. Four weeks let the rate follow a season in and out. */
  rateMemoryMs: 28 * DAY_MS,
  /** The same for the recent rate. Phantoms are judged by the lower rate, because the end of a season is not a phantom. */
  recentMemoryMs: 10 * DAY_MS,
  /** Certainty of a rate, at most that of a gamma with this many events, because rates drift by about 1/√12 from week to week. */
  rateCertainty: 12,
  /** P(no sale for this long) below which recorded stock is taken for a phantom. */
  phantomTail: 1e-4,
  /** Decayed sales below which a stock key sells too seldom to judge. */
  phantomEvents: 20,
  /** A shorter time without a sale is never a phantom, however fast the stock key sells. */
  phantomMinMs: DAY_MS,
  /** P(at least this many sales in a day) below which it is a spike, and the one above which the spike is over. */
  spikeTail: 1e-7,
  spikeClearTail: 1e-3,
  /** Fewer sales in a day are never a spike, however seldom the stock key sells. */
  spikeEvents: 8,
  /** Business days of the location that must be seen first. Until then a rate is a guess. */
  learnDays: 7,
  /** The same for returns. They are rare, so fewer already count as many. */
  returnTail: 1e-6,
  returnClearTail: 1e-3,
  returnEvents: 3,
  /** Prior share of sales that come back, about that of shops (NRF: 8 to 10 %), and its weight in sales. */
  returnPriorShare: 0.08,
  returnPriorWeight: 20,

  /**
   * ln of the factor between a price and the key's most usual price from which it may be a slip. 1.52 is 4.6 times: a clearance at a
   * quarter is a price, a tenth is not. Alarms on real clearances rise steeply below 1.5.
   */
  priceLog: 1.52,
  /** ln of the factor by which it must also be above the dearest usual price, or below the cheapest. Clearances go far below. */
  priceLogAbove: 0.7,
  priceLogBelow: 1.2,
  /** ln of the factor within which two prices are one. */
  priceSame: 0.03,
  /** Below this number of sales no price is usual yet. */
  priceSalesLeast: 20,
  /** Consecutive sales at a known price that end the anomaly. */
  priceClearSales: 2,

  /** Time past its due date after which a transfer is overdue. Lorries are an hour or two late every day. */
  overdueGraceMs: 4 * HOUR_MS,
  /** Time after a part arrives during which the rest may still be booked. */
  transferSettleMs: 4 * HOUR_MS,
  /** Damaged share of a delivery, and damaged units, from which it is reported. */
  damagedShare: 0.05,
  damagedUnits: 1,
  /** Time past the promised date after which what a purchase order still lacks is overdue. A date is promised until its end in UTC. */
  receiptGraceMs: 4 * HOUR_MS,
  /** Time after which a damaged delivery, or one without a purchase order, that was never settled is dropped. */
  receiptForgetMs: 30 * DAY_MS,

  /** Lateness from which a fact is late. A till that was offline over lunch is not late. */
  lateMs: 2 * HOUR_MS,
  /** Decayed share of late facts that raises the anomaly, and the share that ends it. */
  lateShare: 0.5,
  lateClearShare: 0.2,
  /** Weight of one fact in that share. 14 late facts in a row raise the anomaly. */
  lateWeight: 0.05,

  /** P(silence for this long) by the source's own weekly pattern. */
  silentTail: 1e-6,
  /** Shorter silence is ignored. */
  silentMinMs: HOUR_MS,
  /** Dispersion of how much is heard, because days differ and holidays differ more. */
  silentCertainty: 12,
  /** Time for which a source must be known first, so that every hour of the week has been seen twice. */
  silentLearnMs: 14 * DAY_MS,
  /** Weight of a new week in the weekly pattern. */
  silentWeight: 0.3,
  /** A source that is silent for this long is taken as gone and forgotten. */
  silentForgetMs: 60 * DAY_MS,

  /** Time after a sale by which its reservation must be known. A placement may be retried for minutes. */
  unknownAfterMs: 15 * 60_000,

  /** Share of sellable units in holds of one channel and purpose that raises the anomaly, and the share that ends it. */
  hoardShare: 0.8,
  hoardClearShare: 0.5,
  /** The same where holds of the SKU also expire unconfirmed more often than elsewhere. */
  hoardChurnShare: 0.3,
  hoardChurnClearShare: 0.15,
  /** P(this many of the SKU's holds expire), given the share in the rest of the partition. */
  hoardTail: 1e-4,
  /** Fewer holds or units are never hoarding, and fewer expired holds are never churn. */
  hoardHolds: 3,
  hoardUnits: 10,
  hoardExpired: 5,
  /** Prior share of holds that expire, and its weight in holds. Most carts are abandoned (Baymard: 70 %). */
  hoardPriorShare: 0.5,
  hoardPriorWeight: 20,
  /** Time after which the weight of an ended hold has decayed to 1/e. */
  hoardMemoryMs: 6 * HOUR_MS,
} as const;

export type AnomalyParameter = keyof typeof ANOMALY_DEFAULTS;
export type AnomalyParameters = { readonly [Name in AnomalyParameter]: number };

/** Bounds on what detectors remember, and what happens at them. */
export const ANOMALY_BOUNDS = {
  /** Open anomalies of one kind in one partition. Further ones are not raised. */
  openPerKind: 2_000,
  /** Stock keys of one partition whose latest receipt without a purchase order is remembered. The one noted longest ago is evicted. */
  unmatchedKeys: 5_000,
  /** Locations and devices known to one partition. The one heard of longest ago is evicted. */
  sources: 5_000,
  /** SKUs whose ended holds are counted. The least recently updated one is evicted. */
  heldSkus: 2_000,
} as const;
