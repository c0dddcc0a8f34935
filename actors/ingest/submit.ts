/**
 * Fact ingress over HTTP. A fact is stored in its stream, and the sender gets the verdict of the partition's owner.
 *
 * Invariants:
 *  SU1 Facts are stored and parked as exactly the bytes that were sent.
 *  SU2 If several facts in one request have the same id, they are judged in order. The next one is stored only after the previous verdict.
 *  SU3 Without a verdict the answer is undecided. All facts may then be sent again, and those already stored count as duplicates.
 *  SU4 A fact that is too large is neither stored nor parked. Its sender must make it smaller.
 */

import { LIMITS } from '../../config/limits.ts';
import { type FactStream, streamOf } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import type { Broker } from '../../streams/broker.ts';
import { type Clock, delay, inTime } from '../../streams/clock.ts';
import { type Fact, parseFact } from '../../streams/fact/fact.ts';
import type { ParkReason } from '../../streams/fact/parked.ts';
import { type SentBody, typeHeaders } from '../../streams/fact/sent-body.ts';
import { hash64 } from '../../streams/hash.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { factSubject, partitionOf } from '../../streams/subjects.ts';
import type { Rule, Rules } from '../idempotency/rules.ts';
import { horizonMicros } from '../idempotency/stored-fact.ts';
import type { FactIngress, Peers } from '../ports/ports.ts';
import { UNDECIDED, undecided, unstored } from '../ports/refusal.ts';
import type { FactOutcome, Intake } from './intake.ts';
import type { FactParking } from './parking.ts';

export interface FactIngressDeps {
  readonly broker: Broker;
  readonly intake: Intake;
  readonly peers: Peers;
  readonly parking: Pick<FactParking, 'park' | 'stalled'>;
  readonly parked: (reason: ParkReason) => void;
  /** True if the node is stopping, so no further verdict will come here. */
  readonly stopping: () => boolean;
  readonly clock: Clock;
  readonly partitions: number;
  readonly rules: Pick<Rules, 'next'>;
  /** Whether a stored fact has already created a stock key. Rejects with undecided if its owner does not answer. */
  readonly knows: (sku: string, location: string) => Promise<boolean>;
}
interface Rejection {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}
type Outcome = 'accepted' | 'duplicate' | { code: string; message: string };

export class StreamFactIngress implements FactIngress {
  readonly #deps: FactIngressDeps;
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(deps: FactIngressDeps) {
    this.#deps = deps;
  }

  async submit(facts: readonly SentBody[]): Promise<{ accepted: number; duplicates: number; rejected: Rejection[] }> {
    const { stalled } = this.#deps.parking;
    if (stalled !== undefined) throw undecided(UNDECIDED.full, stalled);
    const before = new Map<string, Promise<Outcome>>();
    const outcomes = await Promise.all(facts.map((sent) => this.#submit(sent, before)));
    const rejected = outcomes.flatMap((outcome, index) => (typeof outcome === 'object' ? [{ index, ...outcome }] : []));
    const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
    return { accepted: count('accepted'), duplicates: count('duplicate'), rejected };
  }

  /** @param before outcome of the last fact of each id in this request so far (SU2) */
  #submit(sent: SentBody, before: Map<string, Promise<Outcome>>): Promise<Outcome> {
    // Only the sender can make it smaller, so it is not even parked (SU4).
    if (sent.bytes.length > LIMITS.factBytes) return Promise.resolve({ code: 'too-large', message: tooLarge(sent) });
    const { version } = this.#rule;
    const parsed = parseFact(sent.value, version);
    if (!parsed.ok) return this.#reject(sent, 'invalid', parsed.message);
    const { fact } = parsed;
    if (fact.at < this.#oldest()) {
      return this.#reject(sent, 'too-old', 'occurredAt is older than the idempotency horizon');
    }
    const earlier = before.get(fact.id);
    const store = () => (version === 1 || isNamed(fact) ? this.#store(sent, fact) : this.#storeIfKnown(sent, fact));
    const outcome = earlier === undefined ? store() : earlier.then(store);
    before.set(fact.id, outcome);
    return outcome;
  }

  /** The rule by which a fact stored now will be judged. Throws undecided while the node starts. */
  get #rule(): Rule {
    const rule = this.#deps.rules.next(this.#deps.clock.nowMs());
    if (rule === undefined) throw undecided(UNDECIDED.starting);
    return rule;
  }

  #oldest(): number {
    return this.#deps.clock.nowMs() * 1000 - horizonMicros(this.#rule);
  }

  /** Stores a count under a name that new keys may not have, if the key already exists. Otherwise the count is parked as invalid. */
  async #storeIfKnown(sent: SentBody, fact: Fact): Promise<Outcome> {
    if (await this.#deps.knows(fact.sku, fact.location)) return this.#store(sent, fact);
    return this.#reject(sent, 'invalid', `sku and location must be ${NAME_RULE}`);
  }

  async #store(sent: SentBody, fact: Fact): Promise<Outcome> {
    const stream = present(streamOf(fact.type));
    const seq = await this.#publish(factSubject(fact.type, fact.location, fact.sku), sent);
    const outcome = await this.#outcome(stream, seq, partitionOf(fact.sku, this.#deps.partitions));
    if (outcome === 'applied') return 'accepted';
    if (outcome === 'duplicate') return 'duplicate';
    return { code: outcome.parked, message: outcome.message };
  }

  /** Waits for the verdict. It comes from intake if this node holds the partition, and otherwise from the owner, which is polled. */
  async #outcome(stream: FactStream, seq: number, partition: number): Promise<FactOutcome> {
    const { intake, clock, stopping } = this.#deps;
    const until = clock.monoMs() + LIMITS.verdictMs;
    for (;;) {
      const leftMs = until - clock.monoMs();
      if (leftMs <= 0 || stopping()) break;
      const outcome = intake.holds(partition)
        ? await intake.outcome(stream, seq, partition, leftMs)
        : await this.#ask(stream, seq, partition, leftMs);
      if (outcome === 'unknown') break;
      if (outcome !== undefined) return outcome;
      await delay(clock, Math.min(LIMITS.verdictAgainMs, leftMs));
    }
    // The fact is stored, but whether it counted is not known here (SU3).
    throw undecided(UNDECIDED.verdict);
  }

  async #ask(
    stream: FactStream,
    seq: number,
    partition: number,
    withinMs: number,
  ): Promise<FactOutcome | 'unknown' | undefined> {
    const asked = this.#deps.peers.ask(partition, 'verdict', { stream, seq }).then(
      ({ verdict }) => verdict ?? undefined,
      () => undefined,
    );
    return inTime(this.#deps.clock, withinMs, asked);
  }

  async #reject({ bytes, type }: SentBody, reason: ParkReason, message: string): Promise<Outcome> {
    const { hi, lo } = hash64(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
    const source = `http.${reason}-${hi.toString(16)}${lo.toString(16).padStart(8, '0')}`;
    this.#deps.parked(reason);
    const parked = this.#deps.parking.park({ source, subject: 'http', reason, message, contentType: type, bytes });
    const done = parked.then(() => true);
    if ((await inTime(this.#deps.clock, LIMITS.verdictMs, done)) === undefined) throw undecided(UNDECIDED.parking);
    return { code: reason, message };
  }

  async #publish(subject: string, sent: SentBody): Promise<number> {
    while (this.#inFlight >= LIMITS.factPublishesInFlight)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inFlight += 1;
    try {
      // The bytes are stored as they were sent (SU1).
      return await this.#deps.broker.publish(subject, sent.bytes, { headers: typeHeaders(sent) });
    } catch (error) {
      throw unstored(error, UNDECIDED.stored);
    } finally {
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    }
  }
}

function tooLarge({ bytes }: SentBody): string {
  return `the fact has ${bytes.length} bytes; at most ${LIMITS.factBytes} are taken`;
}

function isNamed({ sku, location }: Fact): boolean {
  return isName(sku) && isName(location);
}
