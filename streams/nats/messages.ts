/** Converts messages and headers of the NATS client to those of the broker port (streams/broker.ts). */
import type { JsMsg } from '@nats-io/jetstream';
import { type MsgHdrs, type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import type { FollowedMessage, Headers } from '../broker.ts';

/** A delivered message. Its details are parsed only on access. */
export class Delivered implements FollowedMessage {
  readonly #message: JsMsg;
  readonly seq: number;
  constructor(message: JsMsg) {
    this.#message = message;
    this.seq = message.seq;
  }
  get subject(): string {
    return this.#message.subject;
  }
  get data(): Uint8Array {
    return this.#message.data;
  }
  get recordedAt(): number {
    return Math.floor(Number(this.#message.info.timestampNanos) / 1000);
  }
  get pending(): number {
    return this.#message.info.pending;
  }
  get deliverySeq(): number {
    return this.#message.info.deliverySequence;
  }
  header(name: string): string | undefined {
    return headerOf(this.#message.headers, name);
  }
}

export function toHeaders(plain: Headers): MsgHdrs {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(plain)) headers.set(name, value);
  return headers;
}

export function headerOf(headers: MsgHdrs | undefined, name: string): string | undefined {
  return headers?.has(name) === true ? headers.get(name) : undefined;
}

/** Bytes of a message that are reserved for our own headers. */
const HEADERS_ROOM = 1_024;

/** Bytes of data that one message may carry at present. The value may change with a reconnect. */
export function roomOf(nc: NatsConnection): number {
  return Math.max(1, (nc.info?.max_payload ?? 0) - HEADERS_ROOM);
}
