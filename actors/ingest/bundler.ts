/**
 * Stores accepted facts in bundles. Of each type and lane one bundle is being stored while the next gathers, so under load many facts
 * share one sync of the server's disk, and a single fact waits for nobody.
 */
import { bundleBytes, LIMITS } from '../../config/limits.ts';
import { BUNDLE_LANES, type FactStream, streamOf } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import type { Broker } from '../../streams/broker.ts';
import { type BundledFact, bundledBytes, encodeBundle } from '../../streams/fact/bundle.ts';
import { bundleSubject, type FactType } from '../../streams/subjects.ts';
import type { FactOutcome } from './intake.ts';

/** Asks for the verdicts on facts of one stored message and one partition. Rejects if they are not known in time. */
export type AskVerdicts = (
  stream: FactStream,
  seq: number,
  places: readonly number[],
  partition: number,
) => Promise<readonly FactOutcome[]>;

interface Waiting extends BundledFact {
  readonly resolve: (outcome: FactOutcome) => void;
  readonly reject: (error: unknown) => void;
}

export interface BundlerDeps {
  readonly broker: Pick<Broker, 'publish' | 'server'>;
  readonly partitions: number;
  readonly verdicts: AskVerdicts;
}

export class Bundler {
  readonly #deps: BundlerDeps;
  readonly #lanes = new Map<string, Lane>();

  constructor(deps: BundlerDeps) {
    this.#deps = deps;
  }

  /** Stores a fact and resolves with its verdict. Rejects with the broker's error, or if the verdict is not known in time. */
  store(type: FactType, fact: BundledFact): Promise<FactOutcome> {
    const subject = bundleSubject(type, (fact.hash % this.#deps.partitions) % BUNDLE_LANES);
    let lane = this.#lanes.get(subject);
    if (lane === undefined) {
      lane = new Lane(this.#deps, present(streamOf(type)), subject);
      this.#lanes.set(subject, lane);
    }
    return lane.store(fact);
  }
}

class Lane {
  readonly #deps: BundlerDeps;
  readonly #stream: FactStream;
  readonly #subject: string;
  #waiting: Waiting[] = [];
  #isStoring = false;

  constructor(deps: BundlerDeps, stream: FactStream, subject: string) {
    this.#deps = deps;
    this.#stream = stream;
    this.#subject = subject;
  }

  store(fact: BundledFact): Promise<FactOutcome> {
    return new Promise((resolve, reject) => {
      const { hash, acceptedAt, bytes, type } = fact;
      this.#waiting.push({ hash, acceptedAt, bytes, type, resolve, reject });
      if (this.#isStoring) return;
      this.#isStoring = true;
      // The facts of one request arrive in one turn, and go into one bundle.
      queueMicrotask(() => void this.#storeAll());
    });
  }

  async #storeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const facts = this.#next();
      try {
        const seq = await this.#deps.broker.publish(this.#subject, encodeBundle(facts));
        // The next bundle need not wait for the verdicts on this one.
        this.#tell(seq, facts);
      } catch (error) {
        // mutant: unstored-acknowledged
        for (const fact of facts) fact.reject(error);
      }
    }
    this.#isStoring = false;
  }

  /** The oldest facts that fit into a bundle. */
  #next(): Waiting[] {
    const most = bundleBytes(this.#deps.broker.server.maxPayload);
    let [count, bytes] = [0, 0];
    for (const fact of this.#waiting) {
      bytes += bundledBytes(fact.bytes.length);
      // mutant: bundle-unbounded
      if (count > 0 && (count === LIMITS.bundleFacts || bytes > most)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #tell(seq: number, facts: readonly Waiting[]): void {
    const places = new Map<number, number[]>();
    for (const [place, { hash }] of facts.entries()) {
      const partition = hash % this.#deps.partitions;
      const those = places.get(partition);
      if (those === undefined) places.set(partition, [place]);
      else those.push(place);
    }
    for (const [partition, those] of places) {
      this.#deps.verdicts(this.#stream, seq, those, partition).then(
        (outcomes) => {
          // mutant: verdicts-mixed-up
          for (const [i, place] of those.entries()) present(facts[place]).resolve(present(outcomes[i]));
        },
        (error: unknown) => {
          for (const place of those) present(facts[place]).reject(error);
        },
      );
    }
  }
}
