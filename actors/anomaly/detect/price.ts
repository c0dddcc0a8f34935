/**
 * Detects price_deviation: a sale at a price far from all usual prices of this stock key.
 *
 * Model: a shop has several price lists side by side (single pieces, wholesale quantities, a channel that asks twice as much), so a key has
 * several usual prices, its levels. A price within `priceSame` of a level belongs to it; another price begins a level in the place of the
 * one with the least credit. This is leader clustering of ln price (Hartigan, Clustering Algorithms, 1975, ch. 3) with the replacement of
 * Space-Saving (Metwally, Agrawal and El Abbadi, ICDT 2005). A level gains credit with each of its sales. When one reaches MOST_CREDIT, all
 * are halved, so retired lists are forgotten.
 *
 * A price of no known level raises an alarm if it differs by `priceLog` from the most usual price, which is about as far as lists and
 * clearances lie apart, and is also beyond the cheapest or the dearest usual price by a margin. Prices between two usual ones are never
 * alarms. The level of such a price begins without credit, so an outlier stays unusual when it comes again, and a lasting new price becomes
 * known after some sales and clears its own alarm. Wholesale quantities have levels of their own, so the model needs no quantity.
 *
 * A price of 0 is a level too, far below all others. Sales in a currency other than the key's first are ignored.
 */
import type { Sale } from '../../../streams/fact/fact.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, type DetectorContext, rounded, whereOf } from './context.ts';
import { type Columns, PRICE_LEVELS } from './key-states.ts';

/** Levels are stored as whole steps of ln price. A step is 0.2 %. */
const STEPS = 500;
/** The level of a price of 0. */
const NOTHING = -0x8000;

/** Credit of a level that its first sale began: as an alarm, or as a price that is new and not far. */
const AS_ALARM = 1;
const AS_NEW = 3;
/** Credit from which a price at this level is no alarm, and from which other prices are compared with it. */
const KNOWN = 3;
const USUAL = 4;
/** Credit of a level that was forgotten. */
const FORGOTTEN = 2;
const MOST_CREDIT = 128;

/** @param row row of the key, which judgeSale has made */
export function judgePrice(context: DetectorContext, key: StockKey, sale: Sale, row: number, recordedAt: number): void {
  if (sale.unitPrice === undefined) return;
  const price = Number(sale.unitPrice);
  if (!(price >= 0)) return;
  const { alarms, parameters, states } = context;
  const c = states.columns;
  const sales = c.priceSales[row] as number;
  const code = currencyCode(sale.currency);
  if (sales === 0) c.currency[row] = code;
  else if (c.currency[row] !== code) return;
  c.priceSales[row] = Math.min(255, sales + 1);
  const level = levelOf(price);
  const place = nearest(c, row, level, parameters.priceSame * STEPS);
  if (place !== undefined && (c.priceCredit[place] as number) >= KNOWN) {
    const inARow = Math.min(255, (c.priceUsual[row] as number) + 1);
    c.priceUsual[row] = inARow;
    if (inARow === parameters.priceClearSales) alarms.clear('price_deviation', causeOf(key));
    credit(c, row, place);
    return;
  }
  const usual = sales < parameters.priceSalesLeast ? undefined : usualLevels(c, row);
  const outside = usual === undefined ? 0 : Math.max(usual.low - level, level - usual.high, 0);
  const margin = usual !== undefined && level < usual.low ? parameters.priceLogBelow : parameters.priceLogAbove;
  const far =
    usual !== undefined && outside >= margin * STEPS && Math.abs(level - usual.most) >= parameters.priceLog * STEPS;
  if (far) {
    c.priceUsual[row] = 0;
    const { low, high } = usual;
    alarms.raise('price_deviation', causeOf(key), {
      ...whereOf(key),
      at: sale.at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => {
        const [from, to] = [rounded(Math.exp(low / STEPS)), rounded(Math.exp(high / STEPS))];
        const times = price === 0 ? {} : { times: rounded(Math.exp(outside / STEPS)) };
        return {
          says: `Sold ${price === 0 ? 'for nothing' : `at ${price}`} where ${from === to ? from : `${from} to ${to}`} is usual.`,
          figures: { price, from, to, ...times, fact: sale.id },
        };
      },
    });
  }
  if (place === undefined) begin(c, row, level, far ? AS_ALARM : AS_NEW);
  else credit(c, row, place);
}

function levelOf(price: number): number {
  return price === 0 ? NOTHING : Math.round(Math.log(price) * STEPS);
}

/** Place in the columns of the level within `same` steps that is nearest. */
function nearest({ priceLevel, priceCredit }: Columns, row: number, level: number, same: number): number | undefined {
  let found: number | undefined;
  let least = same;
  const end = (row + 1) * PRICE_LEVELS;
  for (let place = row * PRICE_LEVELS; place < end; place++) {
    const away = Math.abs((priceLevel[place] as number) - level);
    if (away > least || priceCredit[place] === 0) continue;
    if (away === 0) return place;
    found = place;
    least = away;
  }
  return found;
}

/** The cheapest, the dearest and the most usual level of a key; undefined if it has none. */
function usualLevels(c: Columns, row: number): { low: number; high: number; most: number } | undefined {
  let [low, high, most, mostCredit] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  const end = (row + 1) * PRICE_LEVELS;
  for (let place = row * PRICE_LEVELS; place < end; place++) {
    const has = c.priceCredit[place] as number;
    if (has < USUAL) continue;
    const level = c.priceLevel[place] as number;
    low = Math.min(low, level);
    high = Math.max(high, level);
    if (has <= mostCredit) continue;
    most = level;
    mostCredit = has;
  }
  return mostCredit === 0 ? undefined : { low, high, most };
}

function begin(c: Columns, row: number, level: number, has: number): void {
  const first = row * PRICE_LEVELS;
  let least = first;
  for (let place = first; place < first + PRICE_LEVELS; place++)
    if ((c.priceCredit[place] as number) < (c.priceCredit[least] as number)) least = place;
  c.priceLevel[least] = level;
  c.priceCredit[least] = has;
}

function credit(c: Columns, row: number, place: number): void {
  const has = (c.priceCredit[place] as number) + 1;
  c.priceCredit[place] = has;
  if (has < MOST_CREDIT) return;
  const first = row * PRICE_LEVELS;
  for (let each = first; each < first + PRICE_LEVELS; each++) {
    const old = c.priceCredit[each] as number;
    // A level with one sale is forgotten, and one with two sales stays known.
    if (old >= AS_NEW) c.priceCredit[each] = FORGOTTEN + Math.floor((old - FORGOTTEN) / 2);
  }
}

/** A currency's three letters in 15 bits; 0 for none. */
function currencyCode(currency: string | undefined): number {
  if (currency === undefined) return 0;
  let code = 0;
  for (let i = 0; i < 3; i++) code = code * 27 + (currency.charCodeAt(i) - 64);
  return code;
}
