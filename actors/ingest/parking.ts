/**
 * Facts that cannot be counted, on their way to the stream PARKED.
 *
 * Storing one is tried again while the server is away or full, because nothing may be lost. After a few tries the node is not ready, and it
 * takes in no more facts over HTTP until PARKED takes them again.
 */
import { type Broker, BrokerError } from '../../streams/broker.ts';
import { backOffMs, type Clock, delay } from '../../streams/clock.ts';
import { type Parking, park } from '../../streams/fact/parked.ts';
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

  /** Why facts cannot be parked, and therefore not taken in; undefined while they can. */
  get stalled(): string | undefined {
    return this.#stalled;
  }

  /** Rejects if the node ends before it is stored, because then it is not known to be. */
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
