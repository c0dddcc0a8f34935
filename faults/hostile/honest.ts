/**
 * Honest callers beside the attackers: half of what they ask goes over HTTP, half over NATS, and of every decision it is measured how
 * long they waited for it, from the first time that they asked. A 503 is no decision; nor is a refused connection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type Answer, ask } from '../../harness/callers/http-caller.ts';
import { chance } from '../../harness/chance.ts';
import { factSubject } from '../../streams/subjects.ts';

/** A person or a till does something else between two requests: together they ask for about 35 decisions a second. */
const MOST_PAUSE_MS = 1_000;
/** A node that is killed after ten minutes, its snapshots forged or removed, is built again from more than 1 GB of facts. */
const PATIENCE_MS = 240_000;
const AGAIN_MS = 10;

export interface Waited {
  readonly ms: number;
  readonly what: string;
}

interface SentFact {
  readonly type: 'sale' | 'receipt';
  readonly sku: string;
  readonly location: string;
}

export class HonestCallers {
  /** Of decisions: requests on reservations, and questions. */
  readonly waited: Waited[] = [];
  /** Of facts, which are recorded in the order of their stream and decide nothing. */
  readonly recorded: Waited[] = [];
  readonly #nats: NatsConnection;
  readonly #streams: JetStreamClient;
  readonly #random = chance(24);
  /** When each that waits now began. */
  readonly #asking = new Set<{ readonly began: number }>();

  private constructor(nats: NatsConnection) {
    this.#nats = nats;
    this.#streams = jetstream(nats, { timeout: 5_000 });
  }

  static async at(url: string): Promise<HonestCallers> {
    return new HonestCallers(await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 250 }));
  }

  /** Whether a caller still waits for a decision that it asked for before then. */
  waitsSince(at: number): boolean {
    for (const { began } of this.#asking) if (began < at) return true;
    return false;
  }

  async close(): Promise<void> {
    await this.#nats.close();
  }

  /** What the auditor's callers ask by. */
  readonly decide = async (
    url: () => string,
    method: string,
    path: string,
    body?: unknown,
    withinMs = PATIENCE_MS,
  ): Promise<Answer> => {
    await delay(this.#random() * MOST_PAUSE_MS);
    const overNats = this.#random() < 0.5;
    const began = performance.now();
    const waiting = { began };
    this.#asking.add(waiting);
    try {
      for (;;) {
        const answer =
          (overNats ? await this.#askNats(method, path, body) : undefined) ?? (await ask(url(), method, path, body));
        const ms = performance.now() - began;
        if (answer.status !== 0 && answer.status < 500) {
          const noun = path.split('/')[2];
          const told = noun === 'facts' ? this.recorded : this.waited;
          told.push({ ms, what: `${method} ${noun}${overNats ? ' over NATS' : ''}` });
          return answer;
        }
        if (ms > withinMs)
          throw new Error(
            `${method} ${path} was not decided in ${Math.round(ms)} ms: ${answer.status} ${JSON.stringify(answer.body)}`,
          );
        await delay(AGAIN_MS);
      }
    } finally {
      this.#asking.delete(waiting);
    }
  };

  /** Undefined if NATS has no such request. */
  async #askNats(method: string, path: string, body: unknown): Promise<Answer | undefined> {
    const [, , noun, id = '', step] = path.split('/');
    if (noun === 'facts') return this.#publish(Array.isArray(body) ? body : [body]);
    if (noun !== 'reservations') return undefined;
    if (method === 'DELETE') return this.#request('reservation.release', { id });
    return step === 'confirm' ? this.#request('reservation.confirm', { id }) : this.#request('reservation.place', body);
  }

  async #request(subject: string, body: unknown): Promise<Answer> {
    try {
      const answer = await this.#nats.request(subject, JSON.stringify(body), { timeout: 8_000 });
      const code = answer.headers?.get('Nats-Service-Error-Code') ?? '';
      return { status: code === '' ? 200 : Number(code), body: answer.json(), headers: new Headers() };
    } catch {
      return NO_ANSWER;
    }
  }

  /** As a till does it: durable is acknowledged; the header by which the server tells repetitions is left out. */
  async #publish(facts: readonly SentFact[]): Promise<Answer> {
    try {
      await Promise.all(
        facts.map((fact) =>
          this.#streams.publish(factSubject(fact.type, fact.location, fact.sku), JSON.stringify(fact)),
        ),
      );
      return { status: 200, body: { accepted: facts.length, duplicates: 0, rejected: [] }, headers: new Headers() };
    } catch {
      return NO_ANSWER;
    }
  }
}

const NO_ANSWER: Answer = { status: 0, body: undefined, headers: new Headers() };

/** The value that so large a part of all are not above; 0 of none. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
