/**
 * A durable consumer of a stream, from which several nodes may take. The server keeps its position and gives out one message at a time, so
 * messages keep their order and a node that dies holds up nothing for longer than `ackMs`.
 */
import { AckPolicy, DeliverPolicy, type JetStreamClient, type JetStreamManager, type JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { isApiError, sorted } from '../errors.ts';
import { headerOf } from '../messages.ts';

/** A message that waits for its acknowledgement. Without one it is given out again. */
export interface Handed {
  readonly data: Uint8Array;
  /** How often it was given out, this time included. */
  readonly times: number;
  header(name: string): string | undefined;
  done(): void;
  /** Gives it out again after a while. */
  again(ms: number): void;
}

export class Durable {
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #stream: string;
  readonly #name: string;

  constructor(js: JetStreamClient, jsm: JetStreamManager, stream: string, name: string) {
    this.#js = js;
    this.#jsm = jsm;
    this.#stream = stream;
    this.#name = name;
  }

  /** Makes it begin with the next message, or changes the subjects of the one that is there. */
  async make(subjects: readonly string[], { replicas, ackMs }: { replicas: number; ackMs: number }): Promise<void> {
    const filters = { filter_subjects: [...subjects] };
    try {
      const there = await this.#jsm.consumers.info(this.#stream, this.#name).catch((error) => {
        if (isApiError(error, 10014)) return undefined;
        throw error;
      });
      if (there !== undefined) await this.#jsm.consumers.update(this.#stream, this.#name, filters);
      else
        await this.#jsm.consumers.add(this.#stream, {
          ...filters,
          durable_name: this.#name,
          ack_policy: AckPolicy.Explicit,
          deliver_policy: DeliverPolicy.New,
          ack_wait: nanos(ackMs),
          // The next message waits until this one is acknowledged, so order is kept.
          max_ack_pending: 1,
          max_deliver: -1,
          num_replicas: replicas,
        });
    } catch (error) {
      throw sorted(error);
    }
  }

  async remove(): Promise<void> {
    await this.#jsm.consumers.delete(this.#stream, this.#name).catch((error) => {
      if (!isApiError(error, 10014)) throw sorted(error);
    });
  }

  /** The next message; undefined if none comes in time. */
  async next(waitMs: number): Promise<Handed | undefined> {
    try {
      const consumer = await this.#js.consumers.get(this.#stream, this.#name);
      const message = await consumer.next({ expires: waitMs });
      return message === null ? undefined : handed(message);
    } catch (error) {
      throw sorted(error);
    }
  }
}

function handed(message: JsMsg): Handed {
  return {
    data: message.data,
    times: message.info.deliveryCount,
    header: (name) => headerOf(message.headers, name),
    done: () => message.ack(),
    again: (ms) => message.nak(ms),
  };
}
