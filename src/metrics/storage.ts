/** How full the streams are, asked again and again: for metrics, and for readiness to say that a stream has no room left. */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM } from '../../config/topology.ts';
import type { Broker } from '../../streams/broker.ts';

export interface StreamBytes {
  readonly bytes: number;
  /** Undefined: as many as the server has room for. */
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

  /** Streams that may have no room for the next message, in words. */
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
      // What does not answer is told by others.
      const stream = await this.#broker.stream(name).catch(() => undefined);
      if (stream !== undefined) this.streams.set(name, { bytes: stream.bytes ?? 0, maxBytes: stream.maxBytes });
    }
  }
}
