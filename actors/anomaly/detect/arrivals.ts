/**
 * Detects transfer_overdue, transfer_short and receipt_short: deliveries that did not arrive, or not completely, or damaged.
 *
 *  Overdue: nothing of a transfer has arrived `overdueGraceMs` after its eta, by the own time of its destination (location-clock.ts). A
 *   transfer without an eta is due after the usual time of a lane. Any arrival, or a later eta, ends it.
 *  Short: a part has arrived, and the rest did not follow within `transferSettleMs`. The rest, or a person, ends it.
 *  Receipt short: units of a delivery arrived damaged. Receipts carry no ordered quantity, so damage is the only shortage that a receipt
 *   can show; missing units of a transfer are transfer_short. It ends when an adjustment leaves no damaged unit at the key, or after
 *   `receiptForgetMs`.
 *
 * Each SKU of a transfer is judged separately because SKUs are in different partitions, so each missing SKU is one anomaly.
 * The open transfers follow from the book. Only the arrival times of their parts are kept here.
 */
import { present } from '../../../streams/assert.ts';
import type { Receipt, Transfer } from '../../../streams/fact/fact.ts';
import type { StockBook } from '../../stock/book.ts';
import type { StockKey, Transit } from '../../stock/state.ts';
import { causeOf, counted, type DetectorContext, rounded, whereOf } from './context.ts';

interface Awaited {
  readonly key: StockKey;
  readonly transfer: string;
  readonly transit: Transit;
}

export class Arrivals {
  readonly #context: DetectorContext;
  readonly #laneTime: number;
  readonly #open = new Map<string, Awaited>();
  /** When the latest part arrived, by its fact, and when the stream recorded it; microseconds since 1970. */
  readonly #parts = new Map<string, [at: number, recordedAt: number]>();

  /** @param laneTimeMs usual time of a transfer without an eta, in milliseconds */
  constructor(context: DetectorContext, laneTimeMs: number) {
    this.#context = context;
    this.#laneTime = laneTimeMs * 1000;
  }

  /** Call after a transfer was folded. */
  judgeTransfer(book: StockBook, fact: Transfer, recordedAt: number): void {
    const key = present(book.findKey(fact.sku, fact.to));
    const cause = `${fact.transfer}\u0001${causeOf(key)}`;
    const transit = key.rare?.transit?.get(fact.transfer);
    if (transit === undefined) return;
    if (fact.phase === 'received') this.#judgeDamage(key, fact, recordedAt);
    const left = transit.shipped - transit.arrived;
    const { alarms } = this.#context;
    if (transit.arrived > 0) alarms.clear('transfer_overdue', cause);
    if (left <= 0) {
      this.#open.delete(cause);
      this.#parts.delete(cause);
      alarms.clear('transfer_short', cause);
      return;
    }
    this.#open.set(cause, { key, transfer: fact.transfer, transit });
    if (fact.phase === 'received' || (transit.arrived > 0 && !this.#parts.has(cause)))
      this.#parts.set(cause, [Math.max(fact.at, this.#parts.get(cause)?.[0] ?? 0), recordedAt]);
    if (alarms.get('transfer_short', cause) !== undefined) this.#tellShort(cause, key, fact.transfer, transit);
    if (transit.arrived === 0 && alarms.get('transfer_overdue', cause) !== undefined) this.#judgeDue(cause, recordedAt);
  }

  /** Call after a receipt was folded. */
  judgeReceipt(key: StockKey, fact: Receipt, recordedAt: number): void {
    this.#judgeDamage(key, fact, recordedAt);
  }

  /** Call after an adjustment was folded, because it may have removed the last damaged units. */
  judgeDamagedLeft(key: StockKey): void {
    if ((key.rare?.damaged ?? 0) <= 0) this.#context.alarms.clear('receipt_short', causeOf(key));
  }

  /** Judges what becomes overdue, short or old with time alone. @param wall wall time, in microseconds since 1970 */
  tick(wall: number): void {
    for (const cause of this.#open.keys()) this.#judgeDue(cause, wall);
    const { alarms, parameters, clocks } = this.#context;
    for (const alarm of alarms.ofKind('receipt_short')) {
      const time = clocks.timeOf(clocks.of(present(alarm.location)), wall);
      if (time - alarm.at > parameters.receiptForgetMs * 1000) alarms.clear('receipt_short', alarm.cause);
    }
  }

  #judgeDue(cause: string, wall: number): void {
    const { alarms, parameters, clocks } = this.#context;
    const { key, transfer, transit } = present(this.#open.get(cause));
    const now = clocks.timeOf(clocks.of(key.location), wall);
    if (transit.arrived > 0) {
      const part = this.#parts.get(cause);
      if (part === undefined || now < part[0] + parameters.transferSettleMs * 1000) return;
      if (alarms.get('transfer_short', cause) === undefined) this.#tellShort(cause, key, transfer, transit);
      return;
    }
    const due = transit.eta ?? transit.shippedAt + this.#laneTime;
    if (now < due + parameters.overdueGraceMs * 1000) {
      alarms.clear('transfer_overdue', cause);
      return;
    }
    if (alarms.get('transfer_overdue', cause) !== undefined) return;
    const { shipped, eta } = transit;
    alarms.raise('transfer_overdue', cause, {
      ...whereOf(key),
      at: due,
      episode: due,
      severity: 'warning',
      tell: () => ({
        says: `${counted(shipped, 'unit')} of transfer ${transfer} should have arrived and did not.`,
        figures: { transfer, shipped, due, hasEta: eta === undefined ? 'no' : 'yes' },
      }),
    });
  }

  #tellShort(cause: string, key: StockKey, transfer: string, transit: Transit): void {
    const [at, recordedAt] = this.#parts.get(cause) as [number, number];
    const { shipped, arrived } = transit;
    const missing = shipped - arrived;
    this.#context.alarms.raise('transfer_short', cause, {
      ...whereOf(key),
      at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => ({
        says: `${missing} of ${counted(shipped, 'unit')} of transfer ${transfer} did not arrive.`,
        figures: { transfer, shipped, arrived, missing },
      }),
    });
  }

  #judgeDamage(key: StockKey, fact: Receipt | Transfer, recordedAt: number): void {
    const { alarms, parameters } = this.#context;
    const share = fact.damaged / (fact.qty + fact.damaged);
    if (fact.damaged < parameters.damagedUnits || share < parameters.damagedShare) return;
    const of = fact.type === 'transfer' ? `transfer ${fact.transfer}` : 'the delivery';
    alarms.raise('receipt_short', causeOf(key), {
      ...whereOf(key),
      at: fact.at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => ({
        says: `${fact.damaged} of ${counted(fact.qty + fact.damaged, 'unit')} of ${of} arrived damaged.`,
        figures: { fact: fact.id, damaged: fact.damaged, delivered: fact.qty + fact.damaged, share: rounded(share) },
      }),
    });
  }

  keep(): unknown[] {
    return [...this.#parts];
  }

  /** Replaces the state for a loaded book, and awaits the book's open transfers. */
  load(book: StockBook, kept: readonly unknown[]): void {
    this.#open.clear();
    this.#parts.clear();
    for (const [cause, part] of kept as [string, [number, number]][]) this.#parts.set(cause, part);
    for (const entry of book.skus.values()) {
      for (const key of entry.keys) {
        if (key.rare?.transit === undefined) continue;
        for (const [transfer, transit] of key.rare.transit) {
          if (transit.shipped > transit.arrived)
            this.#open.set(`${transfer}\u0001${causeOf(key)}`, { key, transfer, transit });
        }
      }
    }
  }
}
