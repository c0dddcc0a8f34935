/**
 * The SKU topics of this node's readers. Subscribes to each at the SKU's owner, renews the subscription, and publishes the values that
 * owners send.
 *
 * Invariants:
 *  SF1 Versions of a topic never go back, whichever node sends them, because a deposed owner may still send values.
 *  SF2 A value that differs from the one before only in its version is not a change.
 *  SF3 A topic whose owner does not answer is asked for again soon. Until then no value is published.
 */
import { inHalves } from '../../actors/ports/halves.ts';
import type { SkuValue } from '../../actors/ports/peer-operations.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import type { Clock } from '../../streams/clock.ts';
import type { SkuInterest, SkuTopicKind } from './sku-interest.ts';

/** Pause before a silent owner is asked again. */
const AGAIN_MS = 250;
/** Topics asked for in one request. */
const TOPICS_PER_REQUEST = 500;

export interface SkuFeedDeps {
  readonly clock: Clock;
  /** Writer id of this node. */
  readonly reader: string;
  readonly partitionOf: (sku: string) => number;
  /** Asks the owner of a partition, on this node or another. Rejects if it does not answer. */
  readonly want: (partition: number, interest: SkuInterest) => Promise<readonly SkuValue[]>;
  /** Takes a value that is not older than any before. `changed` says that more than its version differs from the last one. */
  readonly publish: (value: SkuValue, changed: boolean) => void;
  /** Reports a bug. */
  readonly failed: (error: unknown) => void;
}

interface Subscription {
  readonly kind: SkuTopicKind;
  readonly sku: string;
  version: readonly [epoch: number, seq: number] | undefined;
  /** The locations of the last value as JSON, without its version. */
  said: string;
  asking: boolean;
  /** The topic was opened again while a request for it was under way. */
  askAgain: boolean;
}

export class SkuFeed {
  readonly #deps: SkuFeedDeps;
  /** By partition, then by kind and SKU. */
  readonly #subscriptions = new Map<number, Map<string, Subscription>>();
  readonly #again = new Set<number>();
  #stopped = false;

  constructor(deps: SkuFeedDeps) {
    this.#deps = deps;
  }

  /** Asks for the present value, even if the topic is already open. */
  open(kind: SkuTopicKind, sku: string): void {
    const partition = this.#deps.partitionOf(sku);
    const subscriptions = this.#subscriptions.get(partition) ?? new Map<string, Subscription>();
    this.#subscriptions.set(partition, subscriptions);
    const name = `${kind} ${sku}`;
    const topic = subscriptions.get(name) ?? {
      kind,
      sku,
      version: undefined,
      said: '',
      asking: false,
      askAgain: false,
    };
    subscriptions.set(name, topic);
    this.#present(partition, topic).catch((error) => this.#deps.failed(error));
  }

  close(kind: SkuTopicKind, sku: string): void {
    const partition = this.#deps.partitionOf(sku);
    const subscriptions = this.#subscriptions.get(partition);
    if (subscriptions?.delete(`${kind} ${sku}`) === true && subscriptions.size === 0)
      this.#subscriptions.delete(partition);
  }

  /** Asks for all open topics again. Call it every RENEW_MS. */
  renew(): void {
    for (const partition of this.#subscriptions.keys()) this.#renew(partition);
  }

  // Older values are dropped (SF1), and equal ones are passed on as unchanged (SF2).
  take(values: readonly SkuValue[]): void {
    for (const value of values) {
      const topic = this.#subscriptions.get(this.#deps.partitionOf(value.sku))?.get(`${value.kind} ${value.sku}`);
      if (topic === undefined || isOlder(value.version, topic.version)) continue;
      const said = JSON.stringify(value.data.locations);
      const changed = topic.version === undefined || topic.said !== said;
      topic.version = value.version;
      topic.said = said;
      this.#deps.publish(value, changed);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #renew(partition: number): void {
    const topics = [...(this.#subscriptions.get(partition)?.values() ?? [])];
    for (let from = 0; from < topics.length; from += TOPICS_PER_REQUEST)
      this.#ask(partition, topics.slice(from, from + TOPICS_PER_REQUEST)).catch((error) => this.#deps.failed(error));
  }

  /** One request at a time, however many readers come. A reader that comes during one needs another, because that answer may be too old. */
  async #present(partition: number, topic: Subscription): Promise<void> {
    topic.askAgain = topic.asking;
    if (topic.asking) return;
    topic.asking = true;
    await this.#ask(partition, [topic]);
    topic.asking = false;
    if (topic.askAgain && this.#subscriptions.get(partition)?.get(`${topic.kind} ${topic.sku}`) === topic)
      await this.#present(partition, topic);
  }

  async #ask(partition: number, topics: readonly Subscription[]): Promise<void> {
    const { reader, want } = this.#deps;
    try {
      const interests = topics.map(({ kind, sku }) => [kind, sku] as const);
      this.take(await inHalves(interests, (some) => want(partition, { reader, topics: some })));
    } catch (error) {
      if (!(error instanceof Refusal)) this.#deps.failed(error);
      // A value that fits no message is left to the next renewal, because asking again soon would fail too.
      if (error instanceof Refusal && error.kind === 'too-large') return;
      this.#askAgain(partition);
    }
  }

  // At most one retry per partition is scheduled at a time (SF3).
  #askAgain(partition: number): void {
    if (this.#stopped || this.#again.has(partition)) return;
    this.#again.add(partition);
    this.#deps.clock.after(AGAIN_MS, () => {
      this.#again.delete(partition);
      if (!this.#stopped) this.#renew(partition);
    });
  }
}

// Versions compare by epoch, then by sequence (SF1).
function isOlder(version: SkuValue['version'], than: SkuValue['version'] | undefined): boolean {
  if (than === undefined) return false;
  return version[0] < than[0] || (version[0] === than[0] && version[1] < than[1]);
}
