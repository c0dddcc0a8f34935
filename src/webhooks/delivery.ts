/**
 * Delivers events to webhooks. Every node takes from the consumers of all webhooks. A consumer gives out one event at a time, so each event
 * is with one node, and events of one webhook keep their order.
 *
 * Invariants:
 *  DL1 An event is delivered at least once: it is acknowledged only after an answer of 2xx, and given out again otherwise, also when the
 *      node dies.
 *  DL2 Each webhook has a worker of its own, so one that fails or is slow holds up no other. There are at most LIMITS.webhooks.
 *  DL3 A webhook that fails for a day is disabled, and one that answers 410 at once. It says so, and keeps its position until it is set again.
 */
import { LIMITS } from '../../config/limits.ts';
import { backOffMs, type Clock, delay, inTime } from '../../streams/clock.ts';
import type { Durable, Handed } from '../../streams/nats/events/durable.ts';
import { send } from './send.ts';
import { signatures } from './signature.ts';
import type { Webhook, WebhookDesk } from './webhook-desk.ts';

export const WEBHOOK_OUTCOMES = ['delivered', 'failed', 'disabled'] as const;

export interface DeliveryDeps {
  readonly desk: Pick<WebhookDesk, 'all' | 'read' | 'change'>;
  readonly consumer: (id: string) => Pick<Durable, 'next'>;
  readonly clock: Clock;
  readonly allowPrivate: boolean;
  /** A number from 0 up to 1, for jitter. */
  readonly chance: () => number;
  readonly outcome: (outcome: (typeof WEBHOOK_OUTCOMES)[number]) => void;
  readonly trouble: (why: string) => void;
  /** The pauses between attempts, in milliseconds. */
  readonly retries?: { readonly firstMs: number; readonly mostMs: number };
}

const RETRIES = { firstMs: 5_000, mostMs: 3_600_000 };
const GIVE_UP_MS = 86_400_000;
const GONE = 410;

export class WebhookDelivery {
  readonly #deps: DeliveryDeps;
  readonly #workers = new Map<string, { stop: AbortController; done: Promise<void> }>();
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop = this.#rounds();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const { stop } of this.#workers.values()) stop.abort();
    const all = [this.#loop, ...[...this.#workers.values()].map(({ done }) => done)];
    await inTime(this.#deps.clock, LIMITS.outboxStopMs, Promise.all(all));
  }

  async #rounds(): Promise<void> {
    const { desk, clock, trouble } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#fit((await desk.all()).filter(({ disabled }) => disabled === undefined));
      } catch (error) {
        trouble((error as Error).message);
      }
      await delay(clock, LIMITS.webhooksEveryMs, signal);
    }
  }

  /** Starts a worker for each active webhook (DL2), and ends the others. */
  #fit(active: readonly Webhook[]): void {
    const ids = new Set(active.map(({ id }) => id));
    for (const [id, { stop }] of this.#workers) {
      if (ids.has(id)) continue;
      stop.abort();
      this.#workers.delete(id);
    }
    for (const id of ids) {
      if (this.#workers.has(id) || this.#stop.signal.aborted) continue;
      const stop = new AbortController();
      this.#workers.set(id, { stop, done: this.#work(id, stop.signal) });
    }
  }

  async #work(id: string, signal: AbortSignal): Promise<void> {
    const { consumer, clock, trouble } = this.#deps;
    while (!signal.aborted) {
      try {
        const handed = await consumer(id).next(LIMITS.webhookPullMs);
        if (handed !== undefined && !(await this.#deliver(id, handed, signal))) break;
      } catch (error) {
        if (!signal.aborted) trouble(`webhook ${id}: ${(error as Error).message}`);
        await delay(clock, LIMITS.webhookAgainMs, signal);
      }
    }
    if (this.#workers.get(id)?.stop.signal === signal) this.#workers.delete(id);
  }

  /** False if the webhook is not active any more. */
  async #deliver(id: string, handed: Handed, signal: AbortSignal): Promise<boolean> {
    const { desk, outcome } = this.#deps;
    const webhook = await desk.read(id);
    if (webhook === undefined || webhook.disabled !== undefined || signal.aborted) {
      handed.again(0);
      return false;
    }
    const said = await this.#send(webhook, handed, signal);
    if (typeof said === 'number' && said >= 200 && said < 300) {
      // Only now, so that a node that dies before has it given out again (DL1).
      handed.done();
      outcome('delivered');
      if (webhook.failingSinceMs !== undefined)
        await desk.change(id, (now) => now && { ...now, failingSinceMs: undefined });
      return true;
    }
    return this.#failed(webhook, handed, typeof said === 'number' ? `it answered ${said}` : said, said === GONE);
  }

  /** The status of the answer, or why there is none. */
  async #send({ url, secret, old }: Webhook, handed: Handed, signal: AbortSignal): Promise<number | string> {
    const { clock, allowPrivate } = this.#deps;
    const nowMs = clock.nowMs();
    const signing = {
      id: handed.header('Nats-Msg-Id') ?? '',
      seconds: Math.floor(nowMs / 1000),
      body: handed.data,
    };
    const secrets = old !== undefined && old.untilMs > nowMs ? [secret, old.secret] : [secret];
    const headers = {
      'Content-Type': 'application/cloudevents+json',
      'webhook-id': signing.id,
      'webhook-timestamp': String(signing.seconds),
      'webhook-signature': signatures(secrets, signing),
    };
    const sending = { url, headers, body: handed.data, allowPrivate, timeoutMs: LIMITS.webhookAnswerMs, signal };
    return send(sending).catch((error: Error) => error.message);
  }

  async #failed({ id, failingSinceMs }: Webhook, handed: Handed, why: string, gone: boolean): Promise<boolean> {
    const { desk, clock, chance, outcome, retries = RETRIES } = this.#deps;
    outcome('failed');
    const nowMs = clock.nowMs();
    const since = failingSinceMs ?? nowMs;
    // A webhook that is not wanted or not there must not be asked for ever (DL3).
    if (gone || nowMs - since >= GIVE_UP_MS) {
      const disabled = { why: gone ? why : `nothing could be delivered for a day: ${why}`, atMs: nowMs };
      await desk.change(id, (now) => now && { ...now, failingSinceMs: since, disabled });
      handed.again(0);
      outcome('disabled');
      return false;
    }
    // Half of the pause is chance, so that webhooks of one receiver do not come all at once.
    const pauseMs = backOffMs(handed.times - 1, retries.firstMs, retries.mostMs);
    handed.again(Math.round(pauseMs * (0.5 + chance() / 2)));
    if (failingSinceMs === undefined) await desk.change(id, (now) => now && { ...now, failingSinceMs: since });
    return true;
  }
}
