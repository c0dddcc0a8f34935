/**
 * Honest callers beside the attackers. They send half of their requests over HTTP and half over NATS. They measure how long each decision
 * took, from the first attempt. A 503 or a refused connection is not a decision.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type Answer, ask } from '../../harness/callers/http-caller.ts';
import { chance } from '../../harness/chance.ts';
import { factSubject } from '../../streams/subjects.ts';

/** Longest pause between two requests of a caller. The callers together ask for about 35 decisions per second. */
const MOST_PAUSE_MS = 1_000;
/** A node killed after ten minutes, with its snapshots forged or removed, is rebuilt from more than 1 GB of facts. */
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
  /** Waiting times of decisions, which are reservation requests and queries. */
  readonly waited: Waited[] = [];
  /** Waiting times of facts. They are recorded in the order of their stream and decide nothing. */
  readonly recorded: Waited[] = [];
  readonly #nats: NatsConnection;
  readonly #streams: JetStreamClient;
  readonly #random = chance(24);
  /** Start of each request that waits now. */
  readonly #asking = new Set<{ readonly began: number }>();

  private constructor(nats: NatsConnection) {
    this.#nats = nats;
    this.#streams = jetstream(nats, { timeout: 5_000 });
  }

  static async at(url: string): Promise<HonestCallers> {
    return new HonestCallers(await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 250 }));
  }

  /** Whether a caller still waits for a request sent before `at`. */
  waitsSince(at: number): boolean {
    for (const { began } of this.#asking) if (began < at) return true;
    return false;
  }

  async close(): Promise<void> {
    await this.#nats.close();
  }

  /** How the auditor's callers ask. */
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

  /** Returns undefined if NATS has no such request. */
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

  /** Publishes like a till, and counts an acknowledged fact as stored. It sends no Nats-Msg-Id header. */
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

/** The smallest value that at least this share of the values does not exceed, or 0 if there are none. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
