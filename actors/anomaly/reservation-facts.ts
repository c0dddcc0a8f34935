/**
 * Detects over_fulfilled (more was sold for a reservation than it has of the SKU) and reservation_unknown (a sale names a reservation that
 * nobody has placed).
 *
 * Invariant RX1: over_fulfilled follows from the book alone, and reservation_unknown from the book and the clock. So the same facts and
 * decisions leave the same alarms open, in whatever order they came. Both end when their cause is gone or the reservation is forgotten.
 */
import type { StockBook } from '../stock/book.ts';
import { overFulfilled } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';
import { counted, type DetectorContext } from './detect/context.ts';

export class ReservationFacts {
  readonly #context: DetectorContext;
  /** Reservations that sales have named and no decision has granted here. */
  readonly #unknown = new Map<string, ReservationPart>();
  /** Reservations with an alarm over_fulfilled. */
  readonly #over = new Map<string, ReservationPart>();

  constructor(context: DetectorContext) {
    this.#context = context;
  }

  /** Judges a reservation after a fact or a decision has changed it. */
  judge(part: ReservationPart): void {
    if (part.sold === undefined) return;
    this.#judgeOver(part);
    if (!part.granted) {
      this.#unknown.set(part.id, part);
      if (this.#context.alarms.get('reservation_unknown', part.id) !== undefined) this.#raiseUnknown(part);
    } else if (this.#unknown.delete(part.id)) this.#context.alarms.clear('reservation_unknown', part.id);
  }

  /** @param wall wall time, in microseconds since 1970 */
  tick(book: StockBook | undefined, wall: number): void {
    const { alarms, parameters } = this.#context;
    for (const [id, part] of this.#over) if (book?.parts.get(id) !== part) this.#clearOver(part);
    for (const [id, part] of this.#unknown) {
      if (book?.parts.get(id) !== part) {
        this.#unknown.delete(id);
        alarms.clear('reservation_unknown', id);
      } else if (alarms.get('reservation_unknown', id) === undefined)
        if (wall - part.soldAtMs * 1000 >= parameters.unknownAfterMs * 1000) this.#raiseUnknown(part);
    }
  }

  load(book: StockBook): void {
    // Both follow from the book, so nothing of them is kept (RX1).
    this.#unknown.clear();
    this.#over.clear();
    for (const part of book.parts.values()) this.judge(part);
  }

  #raiseUnknown({ id, sold = [], soldAtMs }: ReservationPart): void {
    const { alarms } = this.#context;
    const [first] = sold;
    if (first === undefined) return;
    const { sku, location } = first;
    const units = sold.reduce((sum, { qty }) => sum + qty, 0);
    const at = soldAtMs * 1000;
    alarms.raise('reservation_unknown', id, {
      sku,
      location,
      at,
      episode: at,
      severity: 'warning',
      tell: () => ({
        says: `${counted(units, 'unit')} of ${sku} sold for reservation ${id}, which is not known here.`,
        figures: { reservation: id, units },
      }),
    });
  }

  #judgeOver(part: ReservationPart): void {
    const { alarms } = this.#context;
    const { id, sold = [], soldAtMs } = part;
    let open = false;
    for (const sku of new Set(sold.map((each) => each.sku))) {
      const over = overFulfilled(part, sku);
      const cause = causeOf(id, sku);
      if (over === 0) {
        if (alarms.any('over_fulfilled')) alarms.clear('over_fulfilled', cause);
        continue;
      }
      open = true;
      const at = soldAtMs * 1000;
      const location = sold.find((each) => each.sku === sku)?.location;
      alarms.raise('over_fulfilled', cause, {
        sku,
        location,
        at,
        episode: at,
        severity: 'warning',
        tell: () => ({
          says: `${counted(over, 'unit')} of ${sku} more sold for reservation ${id} than it has.`,
          figures: { reservation: id, over },
        }),
      });
    }
    if (open) this.#over.set(id, part);
    else this.#over.delete(id);
  }

  #clearOver({ id, sold = [] }: ReservationPart): void {
    this.#over.delete(id);
    for (const { sku } of sold) this.#context.alarms.clear('over_fulfilled', causeOf(id, sku));
  }
}

function causeOf(id: string, sku: string): string {
  return `${id}\u0001${sku}`;
}
