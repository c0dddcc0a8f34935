/**
 * The unresolved anomalies of the whole system, as this node knows them. Owners publish each change over the wire. Because such messages
 * can be lost, the node also reads the store periodically and corrects its list.
 *
 * Invariants:
 *  OA1 Of two states of an anomaly the later update is kept. A stored state that is older than a published one is ignored.
 *  OA2 Anyone who can publish can send an anomaly. It is dropped if it is malformed, was updated in the future, or exceeds the bound on
 *      anomalies not known to be stored. An anomaly that the store does not hold disappears at the next reading.
 */
import { LIMITS } from '../../config/limits.ts';
import { type Clock, every } from '../../streams/clock.ts';
import { decodeBody, JSON_TYPE } from '../../streams/codec.ts';
import { anomalySubject } from '../../streams/contract/anomaly-kinds.ts';
import { anomaly as anomalyForm } from '../../streams/contract/stored-anomaly.ts';
import { fitted, Misfit } from '../../streams/messages.ts';
import type { Anomaly } from '../topics.ts';
import type { AnomalySource } from './anomaly-source.ts';
import type { Wire } from './wire.ts';

/** Time between two readings of the store. */
const MEND_MS = 3_000;
/** How far the clocks of two nodes may differ. */
const AHEAD_MS = 60_000;

export interface OpenAnomaliesDeps {
  readonly wire: Wire;
  readonly clock: Clock;
  /** Reads the stored anomalies that are not resolved. */
  readonly stored: () => Promise<readonly Anomaly[]>;
}

export class OpenAnomalies implements AnomalySource {
  readonly #deps: OpenAnomaliesDeps;
  readonly #open = new Map<string, Anomaly>();
  readonly #listeners = new Set<(anomaly: Anomaly) => void>();
  #end: () => void = () => undefined;
  #mending = false;
  /** Anomalies published since the last reading of the store and not known before it. */
  #strangers = 0;

  constructor(deps: OpenAnomaliesDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { wire, clock } = this.#deps;
    const listening = wire.listen(anomalySubject('*'), (data) => this.#told(readAnomaly(data)));
    const stopMending = every(clock, MEND_MS, () => this.#mendSoon());
    this.#end = () => {
      listening.stop();
      stopMending();
    };
    this.#mendSoon();
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

  // Published anomalies are checked, because anyone may have sent them (OA2).
  #told(anomaly: Anomaly): void {
    if (Date.parse(anomaly.updatedAt) > this.#deps.clock.nowMs() + AHEAD_MS)
      throw new Misfit(`anomaly ${anomaly.id} was updated in the future`);
    if (!this.#open.has(anomaly.id)) {
      if (this.#strangers >= LIMITS.anomaliesTold)
        throw new Misfit('too many anomalies that are not known to be stored');
      this.#strangers += 1;
    }
    this.#take(anomaly);
  }

  // Ignores older states and repeats (OA1).
  #take(anomaly: Anomaly): void {
    const known = this.#open.get(anomaly.id);
    if (known !== undefined && known.updatedAt > anomaly.updatedAt) return;
    if (known?.updatedAt === anomaly.updatedAt && known.state === anomaly.state) return;
    if (anomaly.state === 'resolved') this.#open.delete(anomaly.id);
    else this.#open.set(anomaly.id, anomaly);
    for (const listener of this.#listeners) listener(anomaly);
  }

  #mendSoon(): void {
    if (this.#mending) return;
    this.#mending = true;
    this.#mend()
      // NATS is unreachable. The feed keeps the last known anomalies, and readiness reports the cause.
      .catch(() => undefined)
      .finally(() => {
        this.#mending = false;
      });
  }

  /** An anomaly that is no longer stored as open has been resolved, unless it was published after the reading began. */
  async #mend(): Promise<void> {
    const before = new Map(this.#open);
    const stored = await this.#deps.stored();
    this.#strangers = 0;
    const ids = new Set(stored.map(({ id }) => id));
    for (const anomaly of stored) this.#take(anomaly);
    const at = new Date(this.#deps.clock.nowMs()).toISOString();
    for (const [id, anomaly] of before) {
      if (ids.has(id) || this.#open.get(id) !== anomaly) continue;
      this.#take({ ...anomaly, state: 'resolved', updatedAt: at, resolved: { why: 'it is not open any more', at } });
    }
  }
}

function readAnomaly(data: Uint8Array): Anomaly {
  if (data.length > LIMITS.reportBytes) throw new Misfit(`an anomaly of ${data.length} bytes`);
  let value: unknown;
  try {
    value = decodeBody(data, JSON_TYPE);
  } catch (cause) {
    throw new Misfit('an anomaly that is not JSON', { cause });
  }
  return fitted(anomalyForm, value);
}
