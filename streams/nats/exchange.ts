/**
 * Requests between nodes, and messages to all present listeners, over core NATS. An answer that does not fit one message is split into
 * numbered parts, and the node that asked joins them.
 *
 * Invariants:
 *  NX1 An answer too large for one message comes in parts, up to peerAnswerBytes. A larger one is replaced by the refusal that its server
 *      provides. No caller waits for an answer that could not be sent.
 *  NX2 No exception of a message's handler leaves a callback. Otherwise the client would stop reading, and the node would be cut off.
 *  NX3 Parts are sent only to askers that can join them, which the inbox of the request shows. Nodes of Holdfast 0.1 cannot.
 */
import {
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  headers as newHeaders,
} from '@nats-io/transport-node';
import { LIMITS } from '../../config/limits.ts';
import { BrokerError, type MessageFault } from '../broker.ts';
import { kindOfSubject, mayBeAnswered } from '../subjects.ts';
import { sorted } from './errors.ts';
import { headerOf, roomOf } from './messages.ts';

const PART_HEADER = 'Holdfast-Part';
const TAKES_PARTS = /\.parts\.[0-9a-z]+$/;
const PART = /^(\d{1,6})\/(\d{1,6})$/;

export interface Server {
  readonly answer: (data: Uint8Array) => Promise<Uint8Array>;
  /** The refusal to send in place of an answer of `bytes` bytes, when at most `most` bytes can be sent. */
  readonly tooLarge: (bytes: number, most: number) => Uint8Array;
}

interface Asked {
  readonly parts: Uint8Array[];
  bytes: number;
  readonly done: (answer: Uint8Array | BrokerError) => void;
}

export class Exchange {
  readonly #nc: NatsConnection;
  readonly #fault: MessageFault;
  readonly #asked = new Map<string, Asked>();
  /** Inbox of the answers, made at the first request. */
  #inbox: string | undefined;
  #questions = 0;

  constructor(nc: NatsConnection, fault: MessageFault) {
    this.#nc = nc;
    this.#fault = fault;
  }

  /** Rejects with a BrokerError: `too-large` if the request is too large, `unknown` if no whole answer came in time. */
  request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#questions += 1;
      const token = this.#questions.toString(36);
      const timer = setTimeout(() => done(new BrokerError('unknown', `${subject} does not answer in time`)), timeoutMs);
      const done = (answer: Uint8Array | BrokerError) => {
        clearTimeout(timer);
        this.#asked.delete(token);
        if (answer instanceof BrokerError) reject(answer);
        else resolve(answer);
      };
      this.#asked.set(token, { parts: [], bytes: 0, done });
      try {
        this.#nc.publish(subject, data, { reply: `${this.#answersCome()}.${token}` });
      } catch (error) {
        done(sorted(error));
      }
    });
  }

  /** Requests on their way at stop() are still answered. An unsubscribe would drop them, and their callers would wait in vain. */
  serve(subject: string, server: Server): { stop(): void } {
    const subscription = this.#nc.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) this.#serve(message, server);
      },
    });
    return { stop: () => void subscription.drain().catch(() => undefined) };
  }

  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void } {
    const subscription = this.#nc.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return;
        try {
          listener(message.data);
        } catch (fault) {
          this.#fault(kindOfSubject(subject), fault);
        }
      },
    });
    return { stop: () => subscription.unsubscribe() };
  }

  send(subject: string, data: Uint8Array): void {
    if (this.#nc.isClosed()) return;
    try {
      this.#nc.publish(subject, data);
    } catch (error) {
      this.#fault(kindOfSubject(subject), sorted(error));
    }
  }

  #serve(message: Msg, server: Server): void {
    const { reply, subject } = message;
    // Without a reply subject that may be answered, the message is not a request.
    if (!mayBeAnswered(reply)) return;
    server
      .answer(message.data)
      .then((answer) => this.#answer(reply, answer, server))
      .catch((error) => {
        // The failure is reported here and does not leave the callback (NX2).
        this.#fault(kindOfSubject(subject), error);
        // An empty answer means that no answer will come.
        this.#respond(reply, new Uint8Array());
      })
      .catch((error) => this.#fault(kindOfSubject(subject), error));
  }

  #answer(reply: string, answer: Uint8Array, server: Server): void {
    const room = roomOf(this.#nc);
    if (answer.length <= room) {
      this.#respond(reply, answer);
      return;
    }
    // An asker that cannot join parts gets one message at most (NX3).
    const most = TAKES_PARTS.test(reply) ? LIMITS.peerAnswerBytes : room;
    // The refusal ends the caller's wait (NX1).
    if (answer.length > most) {
      this.#respond(reply, server.tooLarge(answer.length, most));
      return;
    }
    const count = Math.ceil(answer.length / room);
    for (let part = 0; part < count; part++) {
      const headers = newHeaders();
      headers.set(PART_HEADER, `${part}/${count}`);
      this.#respond(reply, answer.subarray(part * room, (part + 1) * room), headers);
    }
  }

  #respond(reply: string, data: Uint8Array, headers?: MsgHdrs): void {
    this.#nc.publish(reply, data, headers === undefined ? {} : { headers });
  }

  #answersCome(): string {
    if (this.#inbox !== undefined) return this.#inbox;
    const inbox = `${createInbox()}.parts`;
    this.#nc.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
      },
    });
    this.#inbox = inbox;
    return inbox;
  }

  #take(message: Msg): void {
    const asked = this.#asked.get(message.subject.slice(message.subject.lastIndexOf('.') + 1));
    if (asked === undefined) return;
    const { headers, data } = message;
    if (headers === undefined) {
      asked.done(data);
      return;
    }
    if (headers.code === 503) {
      asked.done(new BrokerError('unknown', 'nobody serves it'));
      return;
    }
    const [, part, count] = PART.exec(headerOf(headers, PART_HEADER) ?? '') ?? [];
    asked.bytes += data.length;
    // Parts arrive in order. Any part but the next one means that two servers answered, so neither answer can be completed.
    if (Number(part) !== asked.parts.length || asked.bytes > LIMITS.peerAnswerBytes) {
      asked.done(new BrokerError('unknown', 'its parts do not fit together'));
      return;
    }
    asked.parts.push(data);
    if (asked.parts.length === Number(count)) asked.done(Buffer.concat(asked.parts));
  }
}
