/**
 * Detects sales_spike, return_spike and phantom_stock: sales and returns of a stock key, compared with its own rate.
 *
 * Model: sales of a key are events of a Poisson process in the business time of its location (location-clock.ts); all lines of one minute
 * are one event. The rate is gamma distributed, with `events` decayed sales in `exposure` decayed business time. Its certainty never
 * exceeds `rateCertainty` events, because rates drift. Future counts are then negative binomial (probability.ts; Gelman et al., Bayesian
 * Data Analysis, 2.6; Ehrenberg, The pattern of consumer purchases, 1959).
 *  Spike: P(X ≥ sales of today) is at most `spikeTail`. It stays open through the next day, and after that only while today's probability
 *   is below `spikeClearTail`.
 *  Phantom: the book has stock, and P(no sale for as long) is below `phantomTail` at the lower of the rate and the recent rate. The idea is
 *   from Kang and Gershwin (Information inaccuracy in inventory systems, IIE Transactions 37, 2005) and DeHoratius, Mersereau and Schrage
 *   (M&SOM 10(2), 2008). A sale, a count or the end of the stock ends it. Time without stock is left out. The alarm says how likely the silence is by now.
 *  Returns: a spike of the key's decayed returns. The prior is one return, at the location's share of returns times the key's own rate.
 */
import { present } from '../../../streams/assert.ts';
import type { Return, Sale } from '../../../streams/fact/fact.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, counted, type DetectorContext, rounded, whereOf } from './context.ts';
import type { LocationClock } from './location-clock.ts';
import { countTail, silenceTail, silentMean } from './probability.ts';

const MINUTE = 60_000_000;
const DAY = 86_400_000_000;
/** Added to the events of every rate: the half event of Jeffreys' prior for a Poisson rate. */
const HALF = 0.5;

/** Call after a sale was folded. Returns the key's row. */
export function judgeSale(context: DetectorContext, key: StockKey, sale: Sale, recordedAt: number): number {
  const { states, alarms, clocks, parameters } = context;
  const place = clocks.of(sale.location);
  place.sold(sale.at);
  const row = states.rowOf(key, place.index);
  const c = states.columns;
  const minute = Math.floor(sale.at / MINUTE);
  const last = c.soldMinute[row] as number;
  const day = Math.floor(sale.at / DAY);
  newDay(context, row, day);
  if (day === c.day[row]) c.dayUnits[row] = Math.min(0xffff_ffff, (c.dayUnits[row] as number) + sale.qty);
  if (alarms.any('phantom_stock')) alarms.clear('phantom_stock', causeOf(key));
  // Lines of one minute are usually one basket, so they are one event.
  if (minute === last) return row;
  decay(context, row, minute);
  if (c.out[row] === 0) {
    if (last > 0) expose(context, row, place);
    c.events[row] = (c.events[row] as number) + 1;
    c.recentEvents[row] = (c.recentEvents[row] as number) + 1;
  }
  c.since[row] = place.lines;
  c.soldMinute[row] = Math.max(minute, last);
  if (day === c.day[row]) c.dayEvents[row] = Math.min(0xffff, (c.dayEvents[row] as number) + 1);
  c.patience[row] = patience(context, row, place);
  place.returnLines += 1;
  if (place.day === day && place.days >= parameters.learnDays)
    judgeSpike(context, key, row, place, sale.at, recordedAt);
  return row;
}

/** Call after a return was folded. */
export function judgeReturn(context: DetectorContext, key: StockKey, back: Return, recordedAt: number): void {
  const { states, clocks, parameters } = context;
  const place = clocks.of(back.location);
  const row = states.rowOf(key, place.index);
  const c = states.columns;
  const minute = Math.floor(back.at / MINUTE);
  if (minute === c.returnedMinute[row]) return;
  c.returnedMinute[row] = minute;
  const day = Math.floor(back.at / DAY);
  newDay(context, row, day);
  const share = place.returns / place.returnLines;
  place.returns += 1;
  c.returns[row] = (c.returns[row] as number) + 1;
  if (day !== c.day[row]) return;
  c.dayReturns[row] = Math.min(0xffff, (c.dayReturns[row] as number) + 1);
  if (place.days < parameters.learnDays) return;
  const { tail, expected } = returnsTail(context, row, place, share);
  const today = c.dayReturns[row] as number;
  if (today < parameters.returnEvents || tail > parameters.returnTail) return;
  context.alarms.raise('return_spike', causeOf(key), {
    ...whereOf(key),
    at: back.at,
    episode: recordedAt,
    severity: 'warning',
    tell: () => ({
      says: `${today} returns today where about ${rounded(expected)} are usual.`,
      figures: { returns: today, expected: rounded(expected), probability: rounded(tail), day },
    }),
  });
}

/** Follows a key whose stock was used up, came back or was counted. Time without stock must not count as time without sales. */
export function judgeStock(context: DetectorContext, key: StockKey, had: boolean, isCounted: boolean): void {
  const row = context.states.find(key);
  const has = key.sellable > 0;
  if (row === undefined || (had === has && !isCounted)) return;
  const c = context.states.columns;
  const place = context.clocks.all[c.place[row] as number] as LocationClock;
  if (had && !has) {
    expose(context, row, place);
    c.out[row] = 1;
  } else if (has) c.out[row] = 0;
  c.since[row] = place.lines;
  context.alarms.clear('phantom_stock', causeOf(key));
}

/** Looks for stock that has not sold for too long, and ends spikes that are over. @param wall wall time, in microseconds since 1970 */
export function judgeSilenceOfKeys(context: DetectorContext, wall: number): void {
  const { states, clocks, parameters } = context;
  const c = states.columns;
  const least = parameters.phantomMinMs * 1000;
  for (let row = 0; row < states.size; row++) {
    const place = clocks.all[c.place[row] as number] as LocationClock;
    if (place.lines - (c.since[row] as number) <= (c.patience[row] as number) || c.out[row] === 1) continue;
    const key = states.keys[row] as StockKey;
    if (key.sellable <= 0) continue;
    const sold = (c.soldMinute[row] as number) * MINUTE;
    if (clocks.timeOf(place, wall) - sold < least) continue;
    judgePhantom(context, key, row, place, sold);
  }
  for (const kind of ['sales_spike', 'return_spike'] as const) endSpikes(context, kind, wall);
}

/** Opens the alarm, and updates it when what it says has changed: as the silence goes on, it becomes less likely that the stock is there. */
function judgePhantom(context: DetectorContext, key: StockKey, row: number, place: LocationClock, sold: number): void {
  const { alarms, states } = context;
  const { mean, certainty } = leastRate(context, row, place);
  const silent = mean * (place.lines - (states.columns.since[row] as number));
  const { sellable } = key;
  const [expected, probability] = [rounded(silent), rounded(silenceTail(silent, certainty))];
  const told = alarms.get('phantom_stock', causeOf(key))?.figures;
  if (told?.sellable === sellable && told.expected === expected && told.probability === probability) return;
  alarms.raise('phantom_stock', causeOf(key), {
    ...whereOf(key),
    at: sold,
    episode: sold,
    severity: 'warning',
    tell: () => ({
      says: `${counted(sellable, 'unit')} on the book, and no sale where about ${expected} were to be expected. If it were on the shelf, this would happen ${spoken(probability)}.`,
      figures: { sellable, expected, probability, lastSale: sold },
    }),
  });
}

/** A small probability in words. */
function spoken(probability: number): string {
  return probability < 1e-6 ? 'less than one time in a million' : `one time in ${rounded(1 / probability)}`;
}

function judgeSpike(
  context: DetectorContext,
  key: StockKey,
  row: number,
  place: LocationClock,
  at: number,
  recordedAt: number,
): void {
  const { states, parameters, alarms } = context;
  const today = states.columns.dayEvents[row] as number;
  if (today < parameters.spikeEvents) return;
  const { tail, expected } = salesTail(context, row, place);
  if (tail > parameters.spikeTail) return;
  const units = states.columns.dayUnits[row] as number;
  const day = states.columns.day[row] as number;
  alarms.raise('sales_spike', causeOf(key), {
    ...whereOf(key),
    at,
    episode: recordedAt,
    severity: 'info',
    tell: () => ({
      says: `${today} sales today where about ${rounded(expected)} are usual.`,
      figures: {
        sales: today,
        units,
        expected: rounded(expected),
        probability: rounded(tail),
        day,
      },
    }),
  });
}

/** Ends the spikes of one kind that are over. A spike stays open through the next day, because it may continue on that day. */
function endSpikes(context: DetectorContext, kind: 'sales_spike' | 'return_spike', wall: number): void {
  const { alarms, clocks, states, parameters } = context;
  for (const alarm of alarms.ofKind(kind)) {
    const place = clocks.of(present(alarm.location));
    const today = Math.floor(clocks.timeOf(place, wall) / DAY);
    const told = alarm.figures.day as number;
    if (today <= told + 1) continue;
    const row = states.keys.findIndex((key) => causeOf(key) === alarm.cause);
    const isToday = row >= 0 && states.columns.day[row] === today && place.day === today;
    const still =
      isToday &&
      (kind === 'sales_spike'
        ? salesTail(context, row, place).tail < parameters.spikeClearTail
        : returnsTail(context, row, place, place.returns / place.returnLines).tail < parameters.returnClearTail);
    if (!still) alarms.clear(kind, alarm.cause);
  }
}

function salesTail(context: DetectorContext, row: number, place: LocationClock): { tail: number; expected: number } {
  const c = context.states.columns;
  const today = c.dayEvents[row] as number;
  // The rate excludes today, otherwise a spike would be its own measure.
  const { mean, certainty } = rate(context, row, today, place.lines - place.linesAtDay);
  const expected = mean * place.today;
  return { tail: countTail(today, expected, certainty), expected };
}

function returnsTail(
  context: DetectorContext,
  row: number,
  place: LocationClock,
  share: number,
): { tail: number; expected: number } {
  const c = context.states.columns;
  const today = c.dayReturns[row] as number;
  const usual = share * rate(context, row, 0, 0).mean;
  const before = Math.max(0, (c.returns[row] as number) - today);
  const mean = (before + 1) / (exposureOf(context, row) + 1 / Math.max(usual, 1e-9));
  const expected = mean * place.today;
  return { tail: countTail(today, expected, Math.min(before + 1, context.parameters.rateCertainty)), expected };
}

/** Sales per unit of business time, and its certainty in events. The period to be judged is subtracted from both. */
function rate(
  context: DetectorContext,
  row: number,
  lessEvents: number,
  lessExposure: number,
): { mean: number; certainty: number } {
  const events = Math.max(0, (context.states.columns.events[row] as number) - lessEvents) + HALF;
  const exposure = Math.max(1, exposureOf(context, row) - lessExposure);
  return { mean: events / exposure, certainty: Math.min(events, context.parameters.rateCertainty) };
}

/** The lower of the rate and the recent rate, so that a key whose sales fade out is not a phantom. */
function leastRate(context: DetectorContext, row: number, place: LocationClock): { mean: number; certainty: number } {
  const { mean, certainty } = rate(context, row, 0, 0);
  const c = context.states.columns;
  const least = (place.dailyLines * context.parameters.learnDays) / 2;
  const recent = ((c.recentEvents[row] as number) + HALF) / Math.max(1, c.recentExposure[row] as number, least);
  return { mean: Math.min(mean, recent), certainty };
}

/** Exposure of a key, at least `learnDays` usual days of its location, so that a new key does not begin with a high rate. */
function exposureOf(context: DetectorContext, row: number): number {
  const c = context.states.columns;
  const place = context.clocks.all[c.place[row] as number] as LocationClock;
  return Math.max(c.exposure[row] as number, place.dailyLines * context.parameters.learnDays);
}

/** The business time without a sale whose probability is `phantomTail`. */
function patience(context: DetectorContext, row: number, place: LocationClock): number {
  const { parameters, states } = context;
  if ((states.columns.events[row] as number) < parameters.phantomEvents) return Number.POSITIVE_INFINITY;
  const { mean, certainty } = leastRate(context, row, place);
  return silentMean(parameters.phantomTail, certainty) / mean;
}

function newDay(context: DetectorContext, row: number, day: number): void {
  const c = context.states.columns;
  if (day <= (c.day[row] as number)) return;
  c.day[row] = day;
  c.dayEvents[row] = 0;
  c.dayReturns[row] = 0;
  c.dayUnits[row] = 0;
}

function decay(context: DetectorContext, row: number, minute: number): void {
  const c = context.states.columns;
  const passed = minute - (c.soldMinute[row] as number);
  if (passed <= 0 || c.soldMinute[row] === 0) return;
  const left = Math.exp((-passed * 60_000) / context.parameters.rateMemoryMs);
  c.events[row] = (c.events[row] as number) * left;
  c.exposure[row] = (c.exposure[row] as number) * left;
  c.returns[row] = (c.returns[row] as number) * left;
  const recent = Math.exp((-passed * 60_000) / context.parameters.recentMemoryMs);
  c.recentEvents[row] = (c.recentEvents[row] as number) * recent;
  c.recentExposure[row] = (c.recentExposure[row] as number) * recent;
}

/** Adds the business time in which the key had stock. */
function expose(context: DetectorContext, row: number, place: LocationClock): void {
  const c = context.states.columns;
  const passed = Math.max(0, place.lines - (c.since[row] as number));
  c.exposure[row] = (c.exposure[row] as number) + passed;
  c.recentExposure[row] = (c.recentExposure[row] as number) + passed;
}
