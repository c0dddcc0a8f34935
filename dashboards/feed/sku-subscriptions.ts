/**
 * What this node's readers want of SKUs: asks their owners, renews it, and passes on what they say.
 *
 * Invariants:
 *  SF1 Versions of a topic never go back, whoever tells: an owner that was deposed may still say something.
 *  SF2 A value that says what was said before, with a newer version, is no change.
 *  SF3 A topic whose owner does not answer is asked for again soon; no value is made up meanwhile.
 */
import { inHalves } from '../../actors/ports/halves.ts';
import type { SkuValue } from '../../actors/ports/peer-operations.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import type { Clock } from '../../streams/clock.ts';
import type { SkuInterest, SkuTopicKind } from './sku-interest.ts';

/** Pause before an owner that did not answer is asked again. */
const AGAIN_MS = 250;
/** Topics asked for in one request. */
const TOPICS_PER_REQUEST = 500;

export interface SkuFeedDeps {
  readonly clock: Clock;
  /** This node. */
  readonly reader: string;
  readonly partitionOf: (sku: string) => number;
  /** Asks the owner of a partition, here or elsewhere; rejects if it does not answer. */
  readonly want: (partition: number, interest: SkuInterest) => Promise<readonly SkuValue[]>;
  /** A value of a topic that is not older than any before; `changed`: than what was last told, in more than its version. */
  readonly publish: (value: SkuValue, changed: boolean) => void;
  /** A fault of the program. */
  readonly failed: (error: unknown) => void;
}

interface Subscription {
  readonly kind: SkuTopicKind;
  readonly sku: string;
  version: readonly [epoch: number, seq: number] | undefined;
  /** What the last value said, without its version. */
  said: string;
  asking: boolean;
  /** It was opened again while it was asked for. */
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

  /** Asks for the present value, also of a topic that is open. */
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

  /** Asks for all of it again: to be called every RENEW_MS. */
  renew(): void {
    for (const partition of this.#subscriptions.keys()) this.#renew(partition);
  }

  // SF2.
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

  /** One request at a time, however many readers come at once: what was asked before one of them came may be older than it knows. */
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
      // A value that no message can hold is not asked for at once again: the next renewal does.
      if (error instanceof Refusal && error.kind === 'too-large') return;
      this.#askAgain(partition);
    }
  }

  // SF3.
  #askAgain(partition: number): void {
    if (this.#stopped || this.#again.has(partition)) return;
    this.#again.add(partition);
    this.#deps.clock.after(AGAIN_MS, () => {
      this.#again.delete(partition);
      if (!this.#stopped) this.#renew(partition);
    });
  }
}

// SF1.
function isOlder(version: SkuValue['version'], than: SkuValue['version'] | undefined): boolean {
  if (than === undefined) return false;
  return version[0] < than[0] || (version[0] === than[0] && version[1] < than[1]);
}
