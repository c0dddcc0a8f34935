/**
 * The webhooks of an installation, kept in a key-value bucket. Each has a durable consumer of EVENTS, which keeps its position.
 *
 * Invariant WD1: a secret is shown once, when it is new. The secret before it signs as well for a day.
 */
import { Refusal, UNDECIDED, undecided, wrongField } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { BrokerError, type KeyEntry, type Keys } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { subjectsOf } from '../../streams/contract/events.ts';
import type { WebhookAnswer, WebhookBody } from '../../streams/contract/webhooks.ts';
import type { Durable } from '../../streams/nats/events/durable.ts';
import { refusedUrl } from './address-guard.ts';
import { newSecret } from './signature.ts';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly kinds: readonly string[];
  readonly createdMs: number;
  readonly secret: string;
  /** The secret before, and until when it signs. */
  readonly old?: { readonly secret: string; readonly untilMs: number } | undefined;
  readonly failingSinceMs?: number | undefined;
  readonly disabled?: { readonly why: string; readonly atMs: number } | undefined;
}

export interface WebhookDeskDeps {
  readonly keys: Keys;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly consumer: (id: string) => Pick<Durable, 'make' | 'remove'>;
  readonly replicas: number;
  readonly allowPrivate: boolean;
}

const OLD_SECRET_MS = 86_400_000;

export class WebhookDesk {
  readonly #deps: WebhookDeskDeps;

  constructor(deps: WebhookDeskDeps) {
    this.#deps = deps;
  }

  /** Makes or changes a webhook, and makes one active that was disabled. */
  async put(id: string, { url, kinds }: WebhookBody): Promise<{ fresh: boolean; webhook: WebhookAnswer }> {
    const { keys, clock, consumer, replicas, allowPrivate } = this.#deps;
    const refused = refusedUrl(url, allowPrivate);
    if (refused !== undefined) throw wrongField('url', `${refused} (HOLDFAST_WEBHOOKS_PRIVATE)`);
    const known = (await keys.get(id)) !== undefined;
    if (!known && (await keys.all()).length >= LIMITS.webhooks)
      throw wrongField('id', `is of one too many: there are ${LIMITS.webhooks} webhooks, which is the most`);
    await consumer(id).make(subjectsOf(kinds), { replicas, ackMs: LIMITS.webhookAckMs });
    const made = await this.change(id, (before) => ({
      createdMs: clock.nowMs(),
      secret: newSecret(),
      ...before,
      id,
      url,
      kinds,
      failingSinceMs: undefined,
      disabled: undefined,
    }));
    if (made === undefined) throw unknown(id);
    // Only a new secret is shown (WD1).
    const fresh = made.before === undefined;
    return { fresh, webhook: shown(made.after, fresh) };
  }

  async rotate(id: string): Promise<WebhookAnswer> {
    const untilMs = this.#deps.clock.nowMs() + OLD_SECRET_MS;
    const rotated = await this.change(
      id,
      (before) => before && { ...before, secret: newSecret(), old: { secret: before.secret, untilMs } },
    );
    if (rotated === undefined) throw unknown(id);
    return shown(rotated.after, true);
  }

  async get(id: string): Promise<WebhookAnswer> {
    const found = await this.read(id);
    if (found === undefined) throw unknown(id);
    return shown(found, false);
  }

  async list(): Promise<WebhookAnswer[]> {
    return (await this.all()).map((each) => shown(each, false)).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async remove(id: string): Promise<{ id: string; known: boolean }> {
    const known = (await this.#deps.keys.get(id)) !== undefined;
    await this.#deps.keys.delete(id);
    await this.#deps.consumer(id).remove();
    return { id, known };
  }

  async all(): Promise<Webhook[]> {
    return (await this.#deps.keys.all()).map(webhookIn).filter((each) => each !== undefined);
  }

  async read(id: string): Promise<Webhook | undefined> {
    const entry = await this.#deps.keys.get(id);
    return entry && webhookIn(entry);
  }

  /** Changes a webhook by compare-and-set. Resolves to undefined if `decide` returns nothing. */
  async change(
    id: string,
    decide: (before: Webhook | undefined) => Webhook | undefined,
  ): Promise<{ before: Webhook | undefined; after: Webhook } | undefined> {
    const { keys } = this.#deps;
    for (let attempt = 0; ; attempt++) {
      const entry = await keys.get(id);
      const before = entry && webhookIn(entry);
      const after = decide(before);
      if (after === undefined) return undefined;
      try {
        await keys.put(id, JSON.stringify(after), entry?.revision ?? 0);
        return { before, after };
      } catch (error) {
        if (!(error instanceof BrokerError) || error.kind !== 'conflict' || attempt === LIMITS.anomalyAttempts)
          throw undecided(UNDECIDED.servers, error);
      }
    }
  }
}

function shown(webhook: Webhook, withSecret: boolean): WebhookAnswer {
  const { id, url, kinds, createdMs, secret, old, failingSinceMs, disabled } = webhook;
  const moment = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    id,
    url,
    kinds,
    state: disabled === undefined ? 'active' : 'disabled',
    createdAt: new Date(createdMs).toISOString(),
    failingSince: moment(failingSinceMs),
    disabled: disabled === undefined ? null : { why: disabled.why, at: new Date(disabled.atMs).toISOString() },
    oldSecretUntil: moment(old?.untilMs),
    ...(withSecret ? { secret } : {}),
  };
}

function webhookIn({ value }: KeyEntry): Webhook | undefined {
  try {
    const webhook = JSON.parse(value) as Webhook;
    return typeof webhook.id === 'string' && typeof webhook.secret === 'string' ? webhook : undefined;
  } catch {
    return undefined;
  }
}

function unknown(id: string): Refusal {
  return new Refusal('not-found', `there is no webhook ${id}`);
}
