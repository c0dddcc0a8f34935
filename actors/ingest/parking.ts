/**
 * Stores facts that cannot be counted in the stream PARKED.
 *
 * A failed attempt is retried with a back-off, because no fact may be lost. After a few attempts the node is not ready, and it accepts no
 * facts over HTTP until PARKED accepts messages again.
 */
import { type Broker, BrokerError } from '../../streams/broker.ts';
import { backOffMs, type Clock, delay } from '../../streams/clock.ts';
import { type Parking, park } from '../../streams/fact/parked/parked.ts';
import { UNDECIDED, undecided } from '../ports/refusal.ts';

const TRIES_BEFORE_STALLED = 4;

export interface ParkingDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  /** Aborted when the node ends. */
  readonly signal: AbortSignal;
  readonly note: (level: 'warn', message: string, detail: Record<string, unknown>) => void;
}

export class FactParking {
  readonly #deps: ParkingDeps;
  #stalled: string | undefined;

  constructor(deps: ParkingDeps) {
    this.#deps = deps;
  }

  /** Why facts cannot be parked, and so none are accepted; undefined while parking works. */
  get stalled(): string | undefined {
    return this.#stalled;
  }

  /** Resolves when the fact is stored. Rejects if the node ends first, because the outcome is then unknown. */
  async park(parking: Parking): Promise<void> {
    const { broker, clock, signal } = this.#deps;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await park(broker, parking);
        this.#stalled = undefined;
        return;
      } catch (error) {
        if (attempt === TRIES_BEFORE_STALLED) this.#stall(parking, error as Error);
        await delay(clock, backOffMs(attempt, 50, 2_000));
      }
    }
    // mutant: unparked-counts-as-parked
    throw undecided(UNDECIDED.stopped);
  }

  #stall({ source }: Parking, error: Error): void {
    const full = error instanceof BrokerError && error.kind === 'full';
    this.#stalled = full
      ? 'the stream PARKED is full: facts that cannot be counted cannot be set aside; raise HOLDFAST_PARKED_MAX_BYTES'
      : 'facts that cannot be counted cannot be set aside: the stream PARKED does not take them';
    this.#deps.note('warn', 'what cannot be counted cannot be set aside; it is tried again', {
      source,
      why: error.message,
    });
  }
}
