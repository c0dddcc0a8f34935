/**
 * The fact desk: facts that come over HTTP go into their stream, and are answered with the verdict of their owner.
 *
 * A fact counts as accepted once it is stored. If its owner's verdict does not come in time (no owner now), it is accepted and
 * folded later; a conflict that is found then is parked.
 */
import { LIMITS } from '../config/limits.ts';
import { type FactStream, streamOf } from '../config/topology.ts';
import { type Broker, BrokerError } from '../streams/broker.ts';
import type { Clock } from '../streams/clock.ts';
import { parseFact } from '../streams/facts.ts';
import { hash64 } from '../streams/hash.ts';
import { type Parking, type ParkReason, RESUBMIT_HEADER } from '../streams/parked.ts';
import { factSubject, partitionOf } from '../streams/subjects.ts';
import type { Intake, Verdict } from './intake.ts';
import type { FactDesk, Peers } from './ports.ts';
import { undecided } from './refusal.ts';

export interface FactWorld {
  readonly broker: Broker;
  readonly intake: Intake;
  readonly owns: (partition: number) => boolean;
  readonly peers: Peers;
  readonly park: (parking: Parking) => Promise<unknown>;
  readonly parked: (reason: ParkReason) => void;
  readonly clock: Clock;
  readonly partitions: number;
  readonly horizonMs: number | undefined;
}
interface Rejection {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}
type Outcome = 'accepted' | 'duplicate' | { code: string; message: string };

export class StreamFactDesk implements FactDesk {
  readonly #world: FactWorld;
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(world: FactWorld) {
    this.#world = world;
  }

  async submit(values: readonly unknown[]): Promise<{ accepted: number; duplicates: number; rejected: Rejection[] }> {
    const outcomes = await Promise.all(values.map((value) => this.#submit(value)));
    const rejected = outcomes.flatMap((outcome, index) => (typeof outcome === 'object' ? [{ index, ...outcome }] : []));
    const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
    return { accepted: count('accepted'), duplicates: count('duplicate'), rejected };
  }

  /** Publishes a parked fact again; the horizon does not hold for it. */
  async resubmit(value: unknown): Promise<void> {
    const parsed = parseFact(value);
    if (!parsed.ok) throw new Error(parsed.message);
    const { type, location, sku } = parsed.fact;
    await this.#world.broker.publish(factSubject(type, location, sku), bytesOf(value), {
      headers: { [RESUBMIT_HEADER]: 'yes' },
    });
  }

  async #submit(value: unknown): Promise<Outcome> {
    const parsed = parseFact(value);
    if (!parsed.ok) return this.#reject(value, 'invalid', parsed.message);
    const { fact } = parsed;
    const oldest =
      this.#world.horizonMs === undefined
        ? Number.NEGATIVE_INFINITY
        : (this.#world.clock.nowMs() - this.#world.horizonMs) * 1000;
    if (fact.at < oldest) return this.#reject(value, 'too-old', 'occurredAt is older than the idempotency horizon');
    const stream = streamOf(fact.type) as FactStream;
    const seq = await this.#publish(factSubject(fact.type, fact.location, fact.sku), bytesOf(value));
    const verdict = await this.#verdict(stream, seq, partitionOf(fact.sku, this.#world.partitions));
    if (verdict === undefined || verdict === 'applied') return 'accepted';
    if (verdict === 'duplicate') return 'duplicate';
    return { code: verdict.parked, message: verdict.message };
  }

  async #verdict(stream: FactStream, seq: number, partition: number): Promise<Verdict | undefined> {
    if (this.#world.owns(partition)) return this.#world.intake.verdict(stream, seq, partition);
    try {
      return ((await this.#world.peers.ask(partition, 'verdict', { stream, seq, partition })) as { verdict?: Verdict })
        .verdict;
    } catch {
      return undefined;
    }
  }

  async #reject(value: unknown, reason: ParkReason, message: string): Promise<Outcome> {
    const bytes = bytesOf(value);
    const { hi, lo } = hash64(bytes.toString('utf8'));
    const source = `http.${reason}-${hi.toString(16)}${lo.toString(16).padStart(8, '0')}`;
    this.#world.parked(reason);
    await this.#world.park({ source, subject: 'http', reason, message, contentType: 'application/json', bytes });
    return { code: reason, message };
  }

  async #publish(subject: string, bytes: Uint8Array): Promise<number> {
    while (this.#inFlight >= LIMITS.factPublishesInFlight)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inFlight += 1;
    try {
      return await this.#world.broker.publish(subject, bytes);
    } catch (error) {
      if (error instanceof BrokerError)
        throw undecided(`not every fact could be stored (${error.message}); send all of them again`);
      throw error;
    } finally {
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    }
  }
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? 'null');
}
