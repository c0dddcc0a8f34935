/**
 * Fact ingress over HTTP and NATS requests. Facts are stored in their stream, in bundles, and the sender gets the verdict of each
 * partition's owner.
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
import type { ParkReason } from '../../streams/fact/parked/parked.ts';
import { type SentBody, typeHeaders } from '../../streams/fact/sent-body.ts';
import { hash64 } from '../../streams/hash.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { encodeToken, factSubject, hashOfToken, partitionOf } from '../../streams/subjects.ts';
import type { Rule, Rules } from '../idempotency/rules.ts';
import { horizonMicros, isOlder, tooLarge } from '../idempotency/stored-fact.ts';
import type { FactIngress, Peers } from '../ports/ports.ts';
import { UNDECIDED, undecided, unstored } from '../ports/refusal.ts';
import { type AskVerdicts, Bundler } from './bundler.ts';
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
  /** How far that clock is ahead of the server's, in milliseconds. */
  readonly aheadMs: () => number;
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
/** What the facts of one request share. */
interface Request {
  readonly rule: Rule;
  /** Microseconds since 1970. */
  readonly acceptedAt: number;
  /** Outcome of the last fact of each id so far (SU2). */
  readonly before: Map<string, Promise<Outcome>>;
}
type Outcome = 'accepted' | 'duplicate' | { code: string; message: string };

export class StreamFactIngress implements FactIngress {
  readonly #deps: FactIngressDeps;
  readonly #bundler: Bundler;

  constructor(deps: FactIngressDeps) {
    this.#deps = deps;
    const { broker, partitions } = deps;
    const verdicts: AskVerdicts = (...asked) => this.#verdicts(...asked);
    this.#bundler = new Bundler({ broker, partitions, verdicts });
  }

  async submit(facts: readonly SentBody[]): Promise<{ accepted: number; duplicates: number; rejected: Rejection[] }> {
    const { stalled } = this.#deps.parking;
    if (stalled !== undefined) throw undecided(UNDECIDED.full, stalled);
    const rule = this.#rule;
    // A moment later than the stream's own time would not count (BU4), and the facts would no longer share it.
    const acceptedAt = Math.floor((this.#deps.clock.nowMs() - this.#deps.aheadMs()) * 1000);
    const request = { rule, acceptedAt, before: new Map() };
    const outcomes = await Promise.all(facts.map((sent) => this.#submit(sent, request)));
    const rejected = outcomes.flatMap((outcome, index) => (typeof outcome === 'object' ? [{ index, ...outcome }] : []));
    const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
    return { accepted: count('accepted'), duplicates: count('duplicate'), rejected };
  }

  #submit(sent: SentBody, request: Request): Promise<Outcome> {
    // Only the sender can make it smaller, so it is not even parked (SU4).
    if (sent.bytes.length > LIMITS.factBytes)
      return Promise.resolve({ code: 'too-large', message: tooLarge(sent.bytes) });
    const { rule, before } = request;
    const parsed = parseFact(sent.value, rule);
    if (!parsed.ok) return this.#reject(sent, 'invalid', parsed.message);
    const { fact } = parsed;
    if (isOlder(fact, request.acceptedAt - horizonMicros(rule))) {
      return this.#reject(sent, 'too-old', 'occurredAt is older than the idempotency horizon');
    }
    const earlier = before.get(fact.id);
    const store = () =>
      rule.version === 1 || isNamed(fact) ? this.#store(sent, fact, request) : this.#storeIfKnown(sent, fact, request);
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

  /** Stores a count under a name that new keys may not have, if the key already exists. Otherwise the count is parked as invalid. */
  async #storeIfKnown(sent: SentBody, fact: Fact, request: Request): Promise<Outcome> {
    if (fact.location !== undefined && (await this.#deps.knows(fact.sku, fact.location)))
      return this.#store(sent, fact, request);
    return this.#reject(sent, 'invalid', `sku and location must be ${NAME_RULE}`);
  }

  async #store(sent: SentBody, fact: Fact, { rule, acceptedAt }: Request): Promise<Outcome> {
    // The bytes are stored as they were sent (SU1).
    const { bytes, type } = sent;
    const outcome = await (rule.version >= 3
      ? this.#bundler.store(fact.type, { bytes, type, acceptedAt, hash: hashOfToken(encodeToken(fact.sku)) })
      : this.#storeAlone(sent, fact)
    ).catch((error: unknown) => Promise.reject(unstored(error, UNDECIDED.stored)));
    if (outcome === 'applied') return 'accepted';
    if (outcome === 'duplicate') return 'duplicate';
    return { code: outcome.parked, message: outcome.message };
  }

  /** Stores a fact as a message of its own, for nodes of an older version that live beside this one. */
  async #storeAlone(sent: SentBody, fact: Fact): Promise<FactOutcome> {
    const { broker, partitions } = this.#deps;
    const subject = factSubject(fact.type, fact.location, fact.sku);
    const seq = await broker.publish(subject, sent.bytes, { headers: typeHeaders(sent) });
    const stream = present(streamOf(fact.type));
    return present((await this.#verdicts(stream, seq, [undefined], partitionOf(fact.sku, partitions)))[0]);
  }

  /** Waits for verdicts. They come from intake if this node holds the partition, and otherwise from the owner, which is polled. */
  async #verdicts(
    stream: FactStream,
    seq: number,
    places: readonly (number | undefined)[],
    partition: number,
  ): Promise<FactOutcome[]> {
    const { intake, clock, stopping } = this.#deps;
    const until = clock.monoMs() + LIMITS.verdictMs;
    for (;;) {
      const leftMs = until - clock.monoMs();
      if (leftMs <= 0 || stopping()) break;
      const outcomes = intake.holds(partition)
        ? await intake.outcomes(stream, seq, places, partition, leftMs)
        : await this.#ask(stream, seq, places, partition, leftMs);
      if (outcomes?.every((outcome) => outcome !== 'unknown') === true) return outcomes as FactOutcome[];
      if (outcomes !== undefined) break;
      await delay(clock, Math.min(LIMITS.verdictAgainMs, leftMs));
    }
    // The facts are stored, but whether they counted is not known here (SU3).
    throw undecided(UNDECIDED.verdict);
  }

  async #ask(
    stream: FactStream,
    seq: number,
    places: readonly (number | undefined)[],
    partition: number,
    withinMs: number,
  ): Promise<(FactOutcome | 'unknown')[] | undefined> {
    const bundled = places.filter((place) => place !== undefined);
    const asked = this.#deps.peers
      .ask(partition, 'verdict', bundled.length === 0 ? { stream, seq } : { stream, seq, places: bundled })
      .then(
        ({ verdict, verdicts }) => verdicts ?? (verdict == null ? undefined : [verdict]),
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
}

function isNamed({ sku, location }: Fact): boolean {
  return isName(sku) && (location === undefined || isName(location));
}
