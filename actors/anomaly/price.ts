/**
 * price_deviation: a sale at a price far from what this stock key sells at.
 *
 * Model: ln price has a usual value m and a usual deviation d, both exponentially weighted (EWMA: Roberts, Technometrics 1, 1959), d of
 * absolute deviations, which one outlier moves less than squares (Hampel); z = |ln p − m| ÷ (1.2533 · d), the factor that makes d of a
 * normal its standard deviation. What lies beyond the threshold enters only up to it, so that a lasting new price becomes the usual
 * one after a while, and ends what it raised. Sales in another currency than the key's first tell nothing; a price of 0 is no price.
 */
import type { Sale } from '../../streams/facts.ts';
import type { StockKey } from '../stock/state.ts';
import { causeOf, rounded, type Scene, whereOf } from './scene.ts';

const NORMAL = 1.2533;

/** @param row the key's row, which its sale has made */
export function judgePrice(scene: Scene, key: StockKey, sale: Sale, row: number, recordedAt: number): void {
  const price = Number(sale.unitPrice);
  if (sale.unitPrice === undefined || !(price > 0)) return;
  const { alarms, parameters, states } = scene;
  const c = states.columns;
  const code = currencyCode(sale.currency);
  const sales = c.priceSales[row] as number;
  if (sales === 0) {
    c.currency[row] = code;
    c.price[row] = Math.log(price);
    c.priceDeviation[row] = 0;
    c.priceSales[row] = 1;
    return;
  }
  if (c.currency[row] !== code) return;
  const mean = c.price[row] as number;
  const usual = NORMAL * Math.max(c.priceDeviation[row] as number, parameters.priceFloor / NORMAL);
  const off = Math.log(price) - mean;
  const z = Math.abs(off) / usual;
  const far = sales >= parameters.priceSales && z >= parameters.priceZ && Math.abs(off) >= parameters.priceLog;
  if (far) {
    c.priceUsual[row] = 0;
    alarms.raise('price_deviation', causeOf(key), {
      ...whereOf(key),
      at: sale.at,
      episode: recordedAt,
      severity: 'warning',
      says: `Sold at ${price} where ${rounded(Math.exp(mean))} is usual.`,
      figures: { price, usual: rounded(Math.exp(mean)), z: rounded(z), fact: sale.id },
    });
  } else if (z <= parameters.priceClearZ || Math.abs(off) < parameters.priceLog / 2) {
    const inARow = Math.min(255, (c.priceUsual[row] as number) + 1);
    c.priceUsual[row] = inARow;
    if (inARow === parameters.priceClearSales) alarms.clear('price_deviation', causeOf(key));
  }
  const weight = Math.max(parameters.priceWeight, 1 / (sales + 1));
  const bound =
    sales >= parameters.priceSales
      ? Math.max(parameters.priceZ * usual, parameters.priceLog)
      : Number.POSITIVE_INFINITY;
  const taken = Math.sign(off) * Math.min(Math.abs(off), bound);
  c.price[row] = mean + weight * taken;
  c.priceDeviation[row] =
    (c.priceDeviation[row] as number) + weight * (Math.abs(taken) - (c.priceDeviation[row] as number));
  c.priceSales[row] = Math.min(255, sales + 1);
}

/** Three letters in 15 bits; 0 for none. */
function currencyCode(currency: string | undefined): number {
  if (currency === undefined) return 0;
  let code = 0;
  for (let i = 0; i < 3; i++) code = code * 27 + (currency.charCodeAt(i) - 64);
  return code;
}
