/**
 * Detects transfer_overdue, transfer_short, transfer_over and receipt_short: deliveries that did not arrive, or not completely, or damaged,
 * and units that arrived without having left.
 *
 *  Overdue: nothing of a transfer has arrived `overdueGraceMs` after its eta, by the own time of its destination (location-clock.ts). A
 *   transfer without an eta is due after the usual time of a lane. Any arrival, a later eta, or the end of the transfer ends it.
 *  Short: a part has arrived, and the rest did not follow within `transferSettleMs`. It ends when the rest arrives or is closed, or by a
 *   person.
 *  Over: more was received or corrected than is known to have been shipped. It follows from the book alone.
 *  Receipt short: units of a delivery arrived damaged, and the key has damaged units. Units that did not arrive are not short here: those
 *   of a purchase order are still on order (deliveries.ts), and missing units of a transfer are transfer_short. It ends when no damaged unit is left at the key,
 *   or `receiptForgetMs` after the latest damaged delivery.
 *
 * Each SKU of a transfer is judged separately because SKUs are in different partitions, so each missing SKU is one anomaly. It is an anomaly
 * of the location that the record is about, which is the destination once a shipment is known.
 */
import type { Receipt, Transfer } from '../../../../streams/fact/fact.ts';
import type { StockBook } from '../../../stock/book.ts';
import type { TransferChange } from '../../../stock/changes.ts';
import { isLater } from '../../../stock/movements.ts';
import type { Moment, StockKey, TransferRecord } from '../../../stock/state.ts';
import { dueOf, unitsInTransit, unitsLost, unitsOver } from '../../../stock/supply/transit.ts';
import type { Told } from '../alarms.ts';
import { causeOf, counted, type DetectorContext, rounded, whereOf } from '../context.ts';

const KINDS = ['transfer_overdue', 'transfer_short', 'transfer_over'] as const;

/** A damaged delivery, and the words and figures for it. */
interface Damage extends Moment, Told {
  /** Of its fact. */
  readonly id: string;
  readonly recordedAt: number;
}
type KeptDamage = readonly [sku: string, location: string, damage: Damage];

export class Arrivals {
  readonly #context: DetectorContext;
  readonly #laneTime: number;
  /** The latest damaged delivery of each key. It is remembered without an alarm too, because the facts may come in any order. */
  readonly #damage = new Map<StockKey, Damage>();
  /** The transfers with units in transit. */
  readonly #open = new Set<TransferRecord>();

  /** @param laneTimeMs usual time of a transfer without an eta, in milliseconds */
  constructor(context: DetectorContext, laneTimeMs: number) {
    this.#context = context;
    this.#laneTime = laneTimeMs * 1000;
  }

  /** Call after a transfer was folded. @param key of the fact's location */
  judgeTransfer(key: StockKey, fact: Transfer, { transfer, key: before }: TransferChange, recordedAt: number): void {
    const { alarms } = this.#context;
    if (fact.phase === 'received') this.#noteDamage(key, fact, recordedAt);
    if (transfer.latest.key !== before) for (const kind of KINDS) alarms.clear(kind, causeOfTransfer(transfer, before));
    this.#judgeOver(transfer, fact.at, recordedAt);
    const cause = causeOfTransfer(transfer);
    if (unitsInTransit(transfer) === 0) {
      this.#open.delete(transfer);
      alarms.clear('transfer_overdue', cause);
      alarms.clear('transfer_short', cause);
      return;
    }
    this.#open.add(transfer);
    if (transfer.arrived > 0) {
      alarms.clear('transfer_overdue', cause);
      if (alarms.get('transfer_short', cause) !== undefined) this.#tellShort(transfer);
    } else if (alarms.get('transfer_overdue', cause) !== undefined) this.#judgeDue(transfer, recordedAt, true);
  }

  /** Call after a receipt was folded. */
  noteReceipt(key: StockKey, fact: Receipt, recordedAt: number): void {
    this.#noteDamage(key, fact, recordedAt);
  }

  /** Judges the damaged units of a key that has changed. */
  judgeDamage(key: StockKey): void {
    const { alarms } = this.#context;
    const damage = this.#damage.get(key);
    if (damage === undefined || (key.rare?.damaged ?? 0) <= 0) {
      if (alarms.any('receipt_short')) alarms.clear('receipt_short', causeOf(key));
      return;
    }
    const { at, recordedAt } = damage;
    alarms.raise('receipt_short', causeOf(key), {
      ...whereOf(key),
      at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => damage,
    });
  }

  /** Judges what becomes overdue, short or old with time alone. @param wall wall time, in microseconds since 1970 */
  tick(wall: number): void {
    for (const transfer of this.#open) this.#judgeDue(transfer, wall);
    const { parameters, clocks } = this.#context;
    for (const [key, { at }] of this.#damage) {
      const time = clocks.timeOf(clocks.of(key.location), wall);
      if (time - at <= parameters.receiptForgetMs * 1000) continue;
      this.#damage.delete(key);
      this.judgeDamage(key);
    }
  }

  /** @param isChanged true if the transfer may have changed since it was judged last */
  #judgeDue(transfer: TransferRecord, wall: number, isChanged = false): void {
    const { alarms, parameters, clocks } = this.#context;
    const { key, eta } = transfer.latest;
    const cause = causeOfTransfer(transfer);
    const now = clocks.timeOf(clocks.of(key.location), wall);
    if (transfer.arrived > 0) {
      const settled = now >= arrivedAt(transfer) + parameters.transferSettleMs * 1000;
      if (settled && alarms.get('transfer_short', cause) === undefined) this.#tellShort(transfer);
      return;
    }
    const due = dueOf(transfer, this.#laneTime);
    if (now < due + parameters.overdueGraceMs * 1000) {
      alarms.clear('transfer_overdue', cause);
      return;
    }
    if (!isChanged && alarms.get('transfer_overdue', cause) !== undefined) return;
    const missing = unitsInTransit(transfer);
    const { id, shipped } = transfer;
    alarms.raise('transfer_overdue', cause, {
      ...whereOf(key),
      at: due,
      episode: due,
      severity: 'warning',
      tell: () => ({
        says: `${counted(missing, 'unit')} of transfer ${id} should have arrived and did not.`,
        figures: { transfer: id, shipped, missing, due, hasEta: eta === undefined ? 'no' : 'yes' },
      }),
    });
  }

  #tellShort(transfer: TransferRecord): void {
    const { id, shipped, arrived, corrected } = transfer;
    const [missing, lost, at] = [unitsInTransit(transfer), unitsLost(transfer), arrivedAt(transfer)];
    this.#context.alarms.raise('transfer_short', causeOfTransfer(transfer), {
      ...whereOf(transfer.latest.key),
      at,
      episode: at,
      severity: 'warning',
      tell: () => ({
        says: `${missing} of ${counted(shipped, 'unit')} of transfer ${id} did not arrive.`,
        figures: { transfer: id, shipped, arrived, lost, corrected, missing },
      }),
    });
  }

  #judgeOver(transfer: TransferRecord, at: number, recordedAt: number): void {
    const { alarms } = this.#context;
    const over = unitsOver(transfer);
    if (over === 0) {
      if (alarms.any('transfer_over')) alarms.clear('transfer_over', causeOfTransfer(transfer));
      return;
    }
    const { id, shipped, arrived, corrected } = transfer;
    alarms.raise('transfer_over', causeOfTransfer(transfer), {
      ...whereOf(transfer.latest.key),
      at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => ({
        says: `${counted(arrived + corrected, 'unit')} of transfer ${id} arrived or never left, but ${shipped === 0 ? 'no shipment is known' : `only ${shipped} were shipped`}.`,
        figures: { transfer: id, shipped, arrived, corrected, over },
      }),
    });
  }

  #noteDamage(key: StockKey, fact: Receipt | Transfer, recordedAt: number): void {
    const { parameters } = this.#context;
    const { id, at, own, qty, damaged } = fact;
    const share = damaged / (qty + damaged);
    if (damaged < parameters.damagedUnits || share < parameters.damagedShare) return;
    const known = this.#damage.get(key);
    if (known !== undefined && !isLater(fact, known)) return;
    const of = fact.type === 'transfer' ? `transfer ${fact.transfer}` : 'the delivery';
    const says = `${damaged} of ${counted(qty + damaged, 'unit')} of ${of} arrived damaged.`;
    const figures = { fact: id, damaged, delivered: qty + damaged, share: rounded(share) };
    this.#damage.set(key, { id, at, own, recordedAt, says, figures });
  }

  /** An earlier version kept damaged deliveries in their alarms only. */
  #damageOfAlarms(): KeptDamage[] {
    return this.#context.alarms
      .ofKind('receipt_short')
      .map(({ sku = '', location = '', at, episode, says, figures }) => [
        sku,
        location,
        { id: String(figures.fact), at, recordedAt: episode, says, figures },
      ]);
  }

  keep(): unknown[] {
    return [...this.#damage].map(([key, damage]): KeptDamage => [key.sku.name, key.location, damage]);
  }

  /** Replaces the state by what a loaded book says. Alarms of transfers that the book knows otherwise are cleared. */
  load(book: StockBook, kept: readonly unknown[] | undefined): void {
    this.#open.clear();
    this.#damage.clear();
    const { alarms } = this.#context;
    for (const [sku, location, damage] of (kept as KeptDamage[] | undefined) ?? this.#damageOfAlarms()) {
      const key = book.findKey(sku, location);
      if (key !== undefined) this.#damage.set(key, damage);
    }
    const causes = new Set<string>();
    for (const { transfers } of book.skus.values()) {
      for (const transfer of transfers?.values() ?? []) {
        if (unitsInTransit(transfer) > 0) this.#open.add(transfer);
        else if (unitsOver(transfer) === 0) continue;
        causes.add(causeOfTransfer(transfer));
        // An earlier version kept no moment of a transfer that arrived before it was shipped.
        this.#judgeOver(transfer, Math.max(0, transfer.latest.at), 0);
      }
    }
    for (const kind of KINDS)
      for (const { cause } of alarms.ofKind(kind)) if (!causes.has(cause)) alarms.clear(kind, cause);
  }
}

function causeOfTransfer({ id, latest }: TransferRecord, key = latest.key): string {
  return `${id}\u0001${causeOf(key)}`;
}

/** When the latest part arrived. If an earlier version has not kept it, the shipment is the earliest possible moment. */
function arrivedAt({ arrivedAt: at, latest }: TransferRecord): number {
  return at ?? latest.at;
}
