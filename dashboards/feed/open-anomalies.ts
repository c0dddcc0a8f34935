/**
 * The anomalies of the whole system that are not resolved, as a node knows them: what owners tell over the wire as it changes, mended by
 * what is stored, since a message to whoever listens now may be lost.
 *
 * Invariant OA1: of two states of an anomaly the one that was updated later is kept; what is stored and older than what was told is
 * passed over.
 */
import { anomalySubject } from '../../streams/anomalies.ts';
import { type Clock, every } from '../../streams/clock.ts';
import { decodeBody, JSON_TYPE } from '../../streams/codec.ts';
import type { Anomaly } from '../topics.ts';
import type { AnomalySource } from './anomaly-source.ts';
import type { Wire } from './wire.ts';

/** Between two looks at what is stored. */
const MEND_MS = 3_000;

export interface OpenAnomaliesWorld {
  readonly wire: Wire;
  readonly clock: Clock;
  /** Those that are stored and not resolved. */
  readonly stored: () => Promise<readonly Anomaly[]>;
}

export class OpenAnomalies implements AnomalySource {
  readonly #world: OpenAnomaliesWorld;
  readonly #open = new Map<string, Anomaly>();
  readonly #listeners = new Set<(anomaly: Anomaly) => void>();
  #end: () => void = () => undefined;
  #mending = false;

  constructor(world: OpenAnomaliesWorld) {
    this.#world = world;
  }

  start(): void {
    const { wire, clock } = this.#world;
    const listening = wire.listen(anomalySubject('*'), (data) => {
      const anomaly = readAnomaly(data);
      if (anomaly !== undefined) this.#take(anomaly);
    });
    const stopMending = every(clock, MEND_MS, () => void this.#mend());
    this.#end = () => {
      listening.stop();
      stopMending();
    };
    void this.#mend();
  }

  stop(): void {
    this.#end();
  }

  open(): readonly Anomaly[] {
    return [...this.#open.values()];
  }

  onChange(listener: (anomaly: Anomaly) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(anomaly: Anomaly): void {
    const known = this.#open.get(anomaly.id);
    if (known !== undefined && known.updatedAt > anomaly.updatedAt) return;
    if (known?.updatedAt === anomaly.updatedAt && known.state === anomaly.state) return;
    if (anomaly.state === 'resolved') this.#open.delete(anomaly.id);
    else this.#open.set(anomaly.id, anomaly);
    for (const listener of this.#listeners) listener(anomaly);
  }

  /** What is not stored as open any more has been resolved, unless it was told after the reading began. */
  async #mend(): Promise<void> {
    if (this.#mending) return;
    this.#mending = true;
    const before = new Map(this.#open);
    try {
      const stored = await this.#world.stored();
      const ids = new Set(stored.map(({ id }) => id));
      for (const anomaly of stored) this.#take(anomaly);
      const at = new Date(this.#world.clock.nowMs()).toISOString();
      for (const [id, anomaly] of before) {
        if (ids.has(id) || this.#open.get(id) !== anomaly) continue;
        this.#take({ ...anomaly, state: 'resolved', updatedAt: at, resolved: { why: 'it is not open any more', at } });
      }
    } catch {
      // NATS is away: what was told last is shown, beside why the node is not ready.
    } finally {
      this.#mending = false;
    }
  }
}

function readAnomaly(data: Uint8Array): Anomaly | undefined {
  try {
    return decodeBody(data, JSON_TYPE) as Anomaly;
  } catch {
    return undefined;
  }
}
