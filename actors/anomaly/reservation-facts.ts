/**
 * Detects over_fulfilled (more was sold for a reservation than it has of the SKU) and reservation_unknown (a sale names a reservation that
 * nobody has placed). A reservation without lines in this partition may have lines in others, which only its home knows. So the home is
 * asked (reservation-homes.ts), and its answer says which of the two it is.
 *
 * Invariant RX1: over_fulfilled follows from the book and from what the home knows, and reservation_unknown from these and the clock. So the
 * same facts and decisions leave the same alarms open, in whatever order they came. Both end when their cause is gone or the reservation is
 * forgotten.
 */
import type { StockBook } from '../stock/book.ts';
import { factUnits, overFulfilled } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';
import { counted, type DetectorContext } from './detect/context.ts';

/** Time after which a home is asked again, because the reservation may have been placed since. */
const ASK_AGAIN = 10_000_000;

/** A reservation that sales have named and no decision has granted here. */
interface Stranger {
  readonly part: ReservationPart;
  /** Wall time of the last question to its home, in microseconds since 1970. */
  askedAt: number;
  /** Whether its home knows it. */
  isKnown: boolean;
}

export class ReservationFacts {
  readonly #context: DetectorContext;
  readonly #strangers = new Map<string, Stranger>();
  /** Reservations with an alarm over_fulfilled. */
  readonly #over = new Map<string, ReservationPart>();

  constructor(context: DetectorContext) {
    this.#context = context;
  }

  /** Judges a reservation after a fact or a decision has changed it. */
  judge(part: ReservationPart): void {
    if (part.sold === undefined) return;
    const { alarms } = this.#context;
    if (part.granted) {
      if (this.#strangers.delete(part.id)) alarms.clear('reservation_unknown', part.id);
    } else {
      if (this.#strangers.get(part.id)?.part !== part)
        this.#strangers.set(part.id, { part, askedAt: Number.NEGATIVE_INFINITY, isKnown: false });
      if (alarms.get('reservation_unknown', part.id) !== undefined) this.#raiseUnknown(part);
    }
    this.#judgeOver(part);
  }

  tick(book: StockBook | undefined): void {
    for (const [id, part] of this.#over) if (book?.parts.get(id) !== part) this.#clearOver(part);
    for (const [id, { part }] of this.#strangers) {
      if (book?.parts.get(id) === part) continue;
      this.#strangers.delete(id);
      this.#context.alarms.clear('reservation_unknown', id);
    }
  }

  /** Reservations whose homes must be asked now, at most `most` of them. @param wall wall time, in microseconds since 1970 */
  takeDue(wall: number, most: number): string[] {
    const due: string[] = [];
    for (const [id, stranger] of this.#strangers) {
      if (stranger.isKnown || !this.#isDue(stranger, wall)) continue;
      if (due.length === most) break;
      stranger.askedAt = wall;
      // It moves to the end, so that those that were asked longest ago come first in the next round.
      this.#strangers.delete(id);
      this.#strangers.set(id, stranger);
      due.push(id);
    }
    return due;
  }

  /** Takes what the home of a reservation has answered. @param wall wall time, in microseconds since 1970 */
  answered(id: string, isKnown: boolean, wall: number): void {
    const stranger = this.#strangers.get(id);
    // Lines may have been granted here since the home was asked.
    if (stranger === undefined) return;
    const { alarms } = this.#context;
    const { part } = stranger;
    stranger.isKnown = isKnown;
    if (isKnown) {
      alarms.clear('reservation_unknown', id);
      this.#judgeOver(part);
    } else if (wall >= this.#waitsUntil(part)) {
      if (alarms.get('reservation_unknown', id) === undefined) this.#raiseUnknown(part);
    }
  }

  load(book: StockBook): void {
    const { alarms } = this.#context;
    // Both follow from the books, so nothing of them is kept except the alarms (RX1).
    this.#strangers.clear();
    this.#over.clear();
    for (const part of book.parts.values()) this.judge(part);
    // A reservation may have been forgotten since the alarms were kept.
    for (const { cause } of alarms.ofKind('reservation_unknown'))
      if (!this.#strangers.has(cause)) alarms.clear('reservation_unknown', cause);
    for (const { cause, figures } of alarms.ofKind('over_fulfilled'))
      if (!this.#over.has(String(figures.reservation))) alarms.clear('over_fulfilled', cause);
  }

  #isDue({ part, askedAt }: Stranger, wall: number): boolean {
    if (wall - askedAt >= ASK_AGAIN) return true;
    const until = this.#waitsUntil(part);
    return askedAt < until && wall >= until;
  }

  /** When the reservation must be known. */
  #waitsUntil(part: ReservationPart): number {
    return firstSold(part) + this.#context.parameters.unknownAfterMs * 1000;
  }

  #raiseUnknown(part: ReservationPart): void {
    const { alarms } = this.#context;
    const { id, sold = [] } = part;
    const [first] = sold;
    if (first === undefined) return;
    const { sku, location } = first;
    const units = sold.reduce((sum, { qty }) => sum + qty, 0);
    const at = firstSold(part);
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
      const over = this.#strangers.get(id)?.isKnown === true ? unitsSold(part, sku) : overFulfilled(part, sku);
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

/** Moment of the first sale that names the reservation, in microseconds since 1970. */
function firstSold({ sold = [], soldAtMs }: ReservationPart): number {
  const first = sold.flatMap(({ moments, moved = [] }) => [moments[0], moved[0]]).filter((at) => at !== undefined);
  return Math.min(soldAtMs * 1000, ...first);
}

/** Units of a SKU that were sold for a reservation and that returns have not opened again. */
function unitsSold(part: ReservationPart, sku: string): number {
  const units = factUnits(part).filter((each) => each.sku === sku);
  return units.reduce((sum, { sold, reopened }) => sum + sold - reopened, 0);
}

function causeOf(id: string, sku: string): string {
  return `${id}\u0001${sku}`;
}
