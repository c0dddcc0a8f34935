/** Samples how full the streams are, for metrics and so that readiness can report a full stream. */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM } from '../../config/topology.ts';
import type { Broker } from '../../streams/broker.ts';

export interface StreamBytes {
  readonly bytes: number;
  /** Undefined if only the server's storage limits the stream. */
  readonly maxBytes: number | undefined;
}

export class StorageSampler {
  readonly #broker: Pick<Broker, 'stream'>;
  readonly streams = new Map<string, StreamBytes>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(broker: Pick<Broker, 'stream'>) {
    this.#broker = broker;
  }

  start(): void {
    const next = () => {
      const again = () => {
        if (!this.#stopped) this.#timer = setTimeout(next, LIMITS.storageEveryMs);
      };
      this.#look().then(again, again);
    };
    next();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Sentences about streams that may have no room for the next message. */
  get reasons(): string[] {
    const reasons: string[] = [];
    for (const [name, { bytes, maxBytes }] of this.streams) {
      if (maxBytes !== undefined && maxBytes - bytes < LIMITS.storedFactBytes)
        reasons.push(`the stream ${name} is full: ${bytes} of ${maxBytes} bytes are used`);
    }
    return reasons;
  }

  async #look(): Promise<void> {
    for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM]) {
      // Other checks report that NATS does not answer.
      const stream = await this.#broker.stream(name).catch(() => undefined);
      if (stream !== undefined) this.streams.set(name, { bytes: stream.bytes ?? 0, maxBytes: stream.maxBytes });
    }
  }
}
