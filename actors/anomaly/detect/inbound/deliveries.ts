/**
 * Detects receipt_overdue and receipt_unmatched: what suppliers have promised and not delivered, and deliveries that may be it.
 *
 *  Overdue: a line of a purchase order has open units `receiptGraceMs` after the date for which it is promised, by the own time of its
 *   location (location-clock.ts). A delivery that is short is overdue with what it lacks, because that is still on order. It ends when the
 *   rest is received, cancelled (a purchase of what came makes it final) or promised for another date.
 *  Unmatched: a stock key received units that name no purchase order, and has a line that was ordered before that and is still open. So its
 *   units may be here and be expected once more. It follows from the book, the latest such receipt and the clock, whatever the order of the
 *   facts. It ends when no such line is open, or `receiptForgetMs` after the receipt.
 */
import { ANOMALY_BOUNDS } from '../../../../config/anomalies.ts';
import type { Receipt } from '../../../../streams/fact/fact.ts';
import type { StockBook } from '../../../stock/book.ts';
import { isLater } from '../../../stock/movements.ts';
import type { Moment, PurchaseLine, PurchaseRecord, StockKey } from '../../../stock/state.ts';
import { onOrder } from '../../../stock/supply/on-order.ts';
import { causeOf, counted, type DetectorContext, whereOf } from '../context.ts';

/** The latest receipt of a key that names no purchase order. */
interface Unmatched extends Moment {
  /** Of its fact. */
  readonly id: string;
  readonly units: number;
  readonly recordedAt: number;
}
type KeptUnmatched = readonly [sku: string, location: string, receipt: Unmatched];

export class Deliveries {
  readonly #context: DetectorContext;
  /** The lines with open units, each with the key that awaits them. */
  readonly #open = new Map<PurchaseLine, StockKey>();
  /** Remembered for keys that await nothing too, because the facts may come in any order. */
  readonly #unmatched = new Map<StockKey, Unmatched>();

  constructor(context: DetectorContext) {
    this.#context = context;
  }

  /** Call after a fact of a purchase order was folded. */
  judgePurchase({ lines }: PurchaseRecord, recordedAt: number): void {
    const { alarms } = this.#context;
    for (const line of lines) {
      const before = this.#open.get(line);
      if (before !== undefined && (before !== line.key || line.open === 0))
        alarms.clear('receipt_overdue', causeOfLine(line, before));
      if (line.open === 0) this.#open.delete(line);
      else {
        this.#open.set(line, line.key);
        if (alarms.get('receipt_overdue', causeOfLine(line)) !== undefined) this.#judgeDue(line, recordedAt, true);
        // A fact of one line says when the whole order began, so it may concern the keys of the others too.
        this.judgeKey(line.key);
      }
    }
  }

  /** Call after a receipt was folded. */
  noteReceipt(key: StockKey, { purchaseOrder, id, at, own, qty, damaged }: Receipt, recordedAt: number): void {
    if (purchaseOrder !== undefined) return;
    const known = this.#unmatched.get(key);
    if (known !== undefined && !isLater({ id, at, own }, known)) return;
    // Set again at the end, so that the first one is the one noted longest ago.
    this.#unmatched.delete(key);
    this.#unmatched.set(key, { id, at, own, units: qty + damaged, recordedAt });
    const [oldest] = this.#unmatched.keys();
    if (oldest !== undefined && this.#unmatched.size > ANOMALY_BOUNDS.unmatchedKeys) this.#forget(oldest);
  }

  /** Judges the receipts of a key that has changed. */
  judgeKey(key: StockKey): void {
    const { alarms } = this.#context;
    const receipt = this.#unmatched.get(key);
    const line = receipt === undefined ? undefined : orderedBefore(key, receipt.at);
    if (receipt === undefined || line === undefined) {
      if (alarms.any('receipt_unmatched')) alarms.clear('receipt_unmatched', causeOf(key));
      return;
    }
    const { id, at, units, recordedAt } = receipt;
    const [awaited, order] = [onOrder(key), line.order.id];
    alarms.raise('receipt_unmatched', causeOf(key), {
      ...whereOf(key),
      at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => ({
        says: `${counted(units, 'unit')} arrived without a purchase order, and ${counted(awaited, 'unit')} are on order: if they are of ${order}, they are expected twice.`,
        figures: { fact: id, units, onOrder: awaited, purchaseOrder: order },
      }),
    });
  }

  /** Judges what becomes overdue or old with time alone. @param wall wall time, in microseconds since 1970 */
  tick(wall: number): void {
    for (const line of this.#open.keys()) this.#judgeDue(line, wall);
    const { parameters, clocks } = this.#context;
    for (const [key, { at }] of this.#unmatched) {
      const time = clocks.timeOf(clocks.of(key.location), wall);
      if (time - at > parameters.receiptForgetMs * 1000) this.#forget(key);
    }
  }

  #forget(key: StockKey): void {
    this.#unmatched.delete(key);
    this.judgeKey(key);
  }

  /** @param isChanged true if the line may have changed since it was judged last */
  #judgeDue(line: PurchaseLine, wall: number, isChanged = false): void {
    const { alarms, parameters, clocks } = this.#context;
    const cause = causeOfLine(line);
    const { key, due, qty, open, order, name, vendor } = line;
    if (clocks.timeOf(clocks.of(key.location), wall) < due + parameters.receiptGraceMs * 1000) {
      alarms.clear('receipt_overdue', cause);
      return;
    }
    if (!isChanged && alarms.get('receipt_overdue', cause) !== undefined) return;
    const of = `purchase order ${order.id}${name === undefined ? '' : `, line ${name}`}`;
    alarms.raise('receipt_overdue', cause, {
      ...whereOf(key),
      at: due,
      episode: due,
      severity: 'warning',
      tell: () => ({
        says: `${open} of ${counted(qty, 'unit')} of ${of} should have arrived and did not.`,
        figures: { purchaseOrder: order.id, line: name ?? '', vendor: vendor ?? '', ordered: qty, missing: open, due },
      }),
    });
  }

  keep(): unknown[] {
    return [...this.#unmatched].map(([key, receipt]): KeptUnmatched => [key.sku.name, key.location, receipt]);
  }

  /** Replaces the state by what a loaded book says. @param kept absent in the state of an earlier version */
  load(book: StockBook, kept: readonly unknown[] = []): void {
    this.#open.clear();
    this.#unmatched.clear();
    for (const [sku, location, receipt] of kept as KeptUnmatched[]) {
      const key = book.findKey(sku, location);
      if (key !== undefined) this.#unmatched.set(key, receipt);
    }
    const causes = new Set<string>();
    for (const { purchases } of book.skus.values())
      for (const { lines } of purchases?.values() ?? [])
        for (const line of lines) {
          if (line.open === 0) continue;
          this.#open.set(line, line.key);
          causes.add(causeOfLine(line));
        }
    const { alarms } = this.#context;
    for (const { cause } of alarms.ofKind('receipt_overdue'))
      if (!causes.has(cause)) alarms.clear('receipt_overdue', cause);
  }
}

/** The open line that is due first of those ordered before a moment. */
function orderedBefore({ rare }: StockKey, at: number): PurchaseLine | undefined {
  let first: PurchaseLine | undefined;
  for (const line of rare?.ordered ?? []) {
    if (line.order.orderedAt > at) continue;
    if (first === undefined || line.due < first.due || (line.due === first.due && line.order.id < first.order.id))
      first = line;
  }
  return first;
}

/** @param key if it is not the one that awaits the line now */
function causeOfLine(line: PurchaseLine, key = line.key): string {
  const { order, name } = line;
  return `${order.id}\u0001${name ?? ''}\u0001${causeOf(key)}`;
}
