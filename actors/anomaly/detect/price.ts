/**
 * price_deviation: a sale at a price far from all that this stock key sells at.
 *
 * Model: a key has several usual prices (by quantity, customer, channel), so what is usual is a band of ln price, not a mean: from the least
 * to the greatest price seen, each drawn towards the exponentially weighted mean (EWMA: Roberts, Technometrics 1, 1959) by a
 * little at every sale, so that a list that is gone is forgotten. A price more than a margin outside the band is told of; the margin is wider
 * while few sales are known, since another list may not have been seen yet. Such a price widens the band by a part of the way
 * only: an outlier hardly moves it, and a lasting new price is usual after some sales, and ends what it raised.
 *
 * Sales in another currency than the key's first tell nothing; a price of 0 is no price.
 */
import type { Sale } from '../../../streams/fact/fact.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, type DetectorContext, rounded, whereOf } from './context.ts';

/** @param row the key's row, which its sale has made */
export function judgePrice(context: DetectorContext, key: StockKey, sale: Sale, row: number, recordedAt: number): void {
  const price = Number(sale.unitPrice);
  if (sale.unitPrice === undefined || !(price > 0)) return;
  const { alarms, parameters, states } = context;
  const c = states.columns;
  const sales = c.priceSales[row] as number;
  const log = Math.log(price);
  const code = currencyCode(sale.currency);
  if (sales === 0) {
    c.currency[row] = code;
    c.priceMean[row] = log;
    c.priceLow[row] = log;
    c.priceHigh[row] = log;
  } else if (c.currency[row] !== code) return;
  const mean = c.priceMean[row] as number;
  const low = c.priceLow[row] as number;
  const high = c.priceHigh[row] as number;
  const outside = Math.max(low - log, log - high, 0);
  const margin = sales < parameters.priceSales ? parameters.priceLogNew : parameters.priceLog;
  const far = sales >= parameters.priceSalesLeast && outside >= margin;
  if (far) {
    c.priceUsual[row] = 0;
    const [from, to] = [rounded(Math.exp(low)), rounded(Math.exp(high))];
    alarms.raise('price_deviation', causeOf(key), {
      ...whereOf(key),
      at: sale.at,
      episode: recordedAt,
      severity: 'warning',
      says: `Sold at ${price} where ${from === to ? from : `${from} to ${to}`} is usual.`,
      figures: { price, from, to, times: rounded(Math.exp(outside)), fact: sale.id },
    });
  } else if (outside < margin / 2) {
    const inARow = Math.min(255, (c.priceUsual[row] as number) + 1);
    c.priceUsual[row] = inARow;
    if (inARow === parameters.priceClearSales) alarms.clear('price_deviation', causeOf(key));
  }
  const part = far ? parameters.priceWeight : 1;
  const drawn = parameters.priceForget;
  c.priceLow[row] = log < low ? low - part * outside : low + drawn * (mean - low);
  c.priceHigh[row] = log > high ? high + part * outside : high - drawn * (high - mean);
  const weight = Math.max(parameters.priceWeight, 1 / (sales + 1));
  c.priceMean[row] = Math.min(
    c.priceHigh[row] as number,
    Math.max(c.priceLow[row] as number, mean + weight * (log - mean)),
  );
  c.priceSales[row] = Math.min(255, sales + 1);
}

/** Three letters in 15 bits; 0 for none. */
function currencyCode(currency: string | undefined): number {
  if (currency === undefined) return 0;
  let code = 0;
  for (let i = 0; i < 3; i++) code = code * 27 + (currency.charCodeAt(i) - 64);
  return code;
}
