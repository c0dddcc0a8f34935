/**
 * Detects price_deviation: a sale at a price far from all usual prices of this stock key.
 *
 * Model: a key has several usual prices (by quantity, customer, channel), so the model is a band of ln price and not a mean. The band
 * reaches from the lowest to the highest price seen. At every sale its ends move a little towards the exponentially weighted mean (EWMA:
 * Roberts, Technometrics 1, 1959), so that prices of a retired list are forgotten. A price outside the band by at least a margin raises an
 * alarm. The margin is wider while few sales are known, because another price list may not have been seen yet. Such a price widens the band
 * only part of the way, so an outlier hardly moves it. A lasting new price becomes usual after some sales and clears its own alarm.
 *
 * Sales in a currency other than the key's first are ignored, and so is a price of 0.
 */
import type { Sale } from '../../../streams/fact/fact.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, type DetectorContext, rounded, whereOf } from './context.ts';

/** @param row row of the key, which judgeSale has made */
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
      tell: () => ({
        says: `Sold at ${price} where ${from === to ? from : `${from} to ${to}`} is usual.`,
        figures: { price, from, to, times: rounded(Math.exp(outside)), fact: sale.id },
      }),
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

/** A currency's three letters in 15 bits; 0 for none. */
function currencyCode(currency: string | undefined): number {
  if (currency === undefined) return 0;
  let code = 0;
  for (let i = 0; i < 3; i++) code = code * 27 + (currency.charCodeAt(i) - 64);
  return code;
}
