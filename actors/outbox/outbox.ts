/**
 * The outbox publishes the events of the partitions that this node owns on EVENTS. The parts that fold tell it of what they have folded,
 * so an event is of what was counted, and nothing is read twice while a node runs. After a take-over, what came before is read once more
 * from the recorded position (gap.ts).
 *
 * Invariants:
 *  OZ1 Every event is published at least once, always under the same id, and only after its fact, decision or change is stored. (What is
 *      told comes from streams, from stored records and from stored anomalies.)
 *  OZ2 Positions are recorded only after all events up to them were acknowledged (OY1).
 *  OZ3 Nothing waits for the outbox. If EVENTS takes no events, they wait in bounded memory and then only in the streams (LN2).
 */
import { failpoint } from '../../config/failpoints.ts';
import { LIMITS } from '../../config/limits.ts';
import { ANOMALIES_STREAM, EVENTS_FROM_METADATA, EVENTS_STREAM, type FactStream } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import { BrokerError, type Keys } from '../../streams/broker.ts';
import { backOffMs, delay, inTime } from '../../streams/clock.ts';
import { encodeBody, JSON_TYPE } from '../../streams/codec.ts';
import type { Anomaly } from '../../streams/contract/anomaly.ts';
import { type AnomalyChange, eventSubject } from '../../streams/contract/events.ts';
import type { Fact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { encodeToken } from '../../streams/subjects.ts';
import type { Partition } from '../partition/partition.ts';
import type { PartitionSet } from '../partition/partition-set.ts';
import { type GapDeps, readGap, type Tell } from './gap.ts';
import { Lane } from './lane.ts';
import { eventOfAnomaly, eventOfFact, eventsOfDecision, givesEvents, type OutgoingEvent } from './mapping.ts';
import {
  encodePosition,
  full,
  OUTBOX_SOURCES,
  type OutboxSource,
  outboxKey,
  type Published,
  positionIn,
} from './positions.ts';

export interface OutboxDeps extends GapDeps {
  /** The bucket of positions. */
  readonly keys: Keys;
  readonly partitions: Pick<PartitionSet, 'observe'>;
  /** This start of this node. */
  readonly writer: string;
  /** Called for each event that was published. */
  readonly published: () => void;
  readonly trouble: (why: string) => void;
}

/** A lane, and where its reading ends in each stream. */
interface Reading {
  readonly lane: Lane;
  readonly ends: Published;
}

export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #lanes = new Map<number, Lane>();
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #failures = 0;
  #troubledSince: number | undefined;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    deps.partitions.observe({
      serves: (partition) => this.#lanes.set(partition.number, new Lane(partition)),
      dropped: (number) => this.#lanes.delete(number),
    });
  }

  start(): void {
    this.#loop = this.#rounds();
  }

  /** Publishes and records what it can in a short time. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const { clock } = this.#deps;
    await inTime(clock, LIMITS.outboxStopMs, this.#loop);
    const last = this.#round(true).catch(() => undefined);
    await inTime(clock, LIMITS.outboxStopMs, last);
  }

  /** Events that wait in memory. */
  get waiting(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.waiting.length, 0);
  }

  /** Partitions whose events must be read from the streams first. */
  get behind(): number {
    return [...this.#lanes.values()].filter((lane) => lane.behind).length;
  }

  /** How long EVENTS has taken nothing although something waits, in milliseconds. */
  get troubledMs(): number {
    return this.#troubledSince === undefined ? 0 : this.#deps.clock.monoMs() - this.#troubledSince;
  }

  /** A fact was counted. */
  counted({ number }: Partition, stream: FactStream, seq: number, fact: Fact): void {
    if (givesEvents(fact)) this.#tell(number, stream as OutboxSource, seq, eventOfFact(fact));
  }

  /** A record of this node is stored. */
  journaled(seq: number, n: number, decisions: readonly { readonly decision: Decision }[]): void {
    const { writer } = this.#deps;
    for (const [index, { decision }] of decisions.entries()) {
      const number = decision.parts[0]?.[0];
      if (number === undefined) continue;
      for (const event of eventsOfDecision(decision, { writer, n, index })) this.#tell(number, 'JOURNAL', seq, event);
    }
  }

  /** A change of an anomaly is stored. */
  anomalyChanged(partition: number, anomaly: Anomaly, change: AnomalyChange, revision: number): void {
    this.#tell(partition, ANOMALIES_STREAM, revision, eventOfAnomaly(anomaly, change, revision));
  }

  #tell(number: number, source: OutboxSource, seq: number, event: OutgoingEvent): void {
    // A partition without a lane catches up. What it folds is read from the streams later.
    this.#lanes.get(number)?.tell({ source, seq, event });
  }

  async #rounds(): Promise<void> {
    const { signal } = this.#stop;
    const { clock, trouble } = this.#deps;
    while (!signal.aborted) {
      let pause: number = LIMITS.outboxRoundMs;
      try {
        await this.#round(false);
        this.#failures = 0;
        this.#troubledSince = undefined;
      } catch (error) {
        this.#troubledSince ??= clock.monoMs();
        if (!signal.aborted) trouble((error as Error).message);
        pause = backOffMs(this.#failures++, LIMITS.outboxRoundMs, LIMITS.outboxBackOffMs);
      }
      await delay(clock, pause, signal);
    }
  }

  /** @param last record every position that has moved */
  async #round(last: boolean): Promise<void> {
    await this.#claim();
    await this.#read();
    const lanes = [...this.#lanes.values()].filter((lane) => lane.revision !== undefined);
    const outcomes = await Promise.allSettled(lanes.map((lane) => this.#publishWaiting(lane)));
    for (const lane of lanes) await this.#record(lane, last);
    const failed = outcomes.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Records that this node owns the lanes that are new here, so that a deposed owner can record nothing any more (OY2). */
  async #claim(): Promise<void> {
    const fresh = [...this.#lanes.values()].filter((lane) => lane.revision === undefined);
    if (fresh.length === 0) return;
    const { keys, writer } = this.#deps;
    const found = new Map((await keys.all()).map((entry) => [entry.key, entry]));
    let first: Readonly<Record<string, number>> | undefined;
    for (const lane of fresh) {
      const { number, book } = lane.partition;
      const entry = found.get(outboxKey(number));
      const before = positionIn(entry);
      if (before !== undefined && before.epoch > book.epoch) continue;
      if (before === undefined) first ??= await this.#begin();
      const published = before?.published ?? full(first ?? {});
      const position = { by: writer, epoch: book.epoch, caughtUp: false, published };
      const revision = await keys.put(outboxKey(number), encodePosition(position), entry?.revision ?? 0);
      lane.published = published;
      lane.revision = revision;
    }
  }

  /** Where events begin (EW1 of streams/nats/events/stream.ts). */
  async #begin(): Promise<Readonly<Record<string, number>>> {
    const { metadata } = (await this.#deps.broker.stream(EVENTS_STREAM)) ?? {};
    if (metadata === undefined) throw new BrokerError('unknown', `the stream ${EVENTS_STREAM} is not there`);
    return JSON.parse(metadata[EVENTS_FROM_METADATA] ?? '{}') as Record<string, number>;
  }

  /** Publishes what came before the lanes were told of everything. Each stream is read once for all lanes that are behind. */
  async #read(): Promise<void> {
    const behind = [...this.#lanes.values()].filter((lane) => lane.behind && lane.published !== undefined);
    if (behind.length === 0) return;
    const anomalies = (await this.#deps.broker.stream(ANOMALIES_STREAM))?.lastSeq ?? 0;
    const readings = behind.map((lane): Reading => ({ lane, ends: lane.beginReading(anomalies) }));
    for (const source of OUTBOX_SOURCES) await this.#readSource(source, readings);
    for (const { lane, ends } of readings) lane.endReading(ends);
  }

  async #readSource(source: OutboxSource, readings: readonly Reading[]): Promise<void> {
    const byPartition = new Map<number, { reading: Reading; after: number; events: OutgoingEvent[] }>();
    let [after, until] = [Number.POSITIVE_INFINITY, 0];
    for (const reading of readings) {
      const had = present(reading.lane.published)[source];
      if (had >= reading.ends[source]) continue;
      byPartition.set(reading.lane.partition.number, { reading, after: had, events: [] });
      after = Math.min(after, had);
      until = Math.max(until, reading.ends[source]);
    }
    const tell: Tell = (number, seq, event) => {
      const found = byPartition.get(number);
      if (found !== undefined && seq > found.after && seq <= found.reading.ends[source]) found.events.push(event);
    };
    await readGap(this.#deps, source, { after, until }, tell, async (reached) => {
      await Promise.all(
        [...byPartition.values()].map(async ({ reading: { lane, ends }, after: had, events }) => {
          for (const event of events) await this.#publish(event);
          events.length = 0;
          const to = Math.max(had, Math.min(reached, ends[source]));
          lane.published = { ...present(lane.published), [source]: to };
        }),
      );
    });
  }

  async #publishWaiting(lane: Lane): Promise<void> {
    // Only events that waited when the round began, so that no lane holds up the others.
    for (let left = lane.behind ? 0 : lane.waiting.length; left > 0; left--) {
      const first = lane.waiting[0];
      if (first === undefined) return;
      await this.#publish(first.event);
      // It may have overflowed or been dropped in the meantime.
      if (lane.waiting[0] === first) lane.shift();
    }
  }

  async #publish({ kind, event }: OutgoingEvent): Promise<void> {
    await this.#deps.broker.publish(eventSubject(kind), encodeBody(event, JSON_TYPE), {
      headers: {
        'Nats-Msg-Id': `${event.source}:${encodeToken(event.id)}`,
        'Content-Type': 'application/cloudevents+json',
      },
    });
    failpoint('event-published');
    this.#deps.published();
  }

  async #record(lane: Lane, atOnce: boolean): Promise<void> {
    const { clock, keys, writer } = this.#deps;
    const { number, book } = lane.partition;
    const published = lane.position();
    if (published === undefined || lane.revision === undefined || this.#lanes.get(number) !== lane) return;
    const text = encodePosition({ by: writer, epoch: book.epoch, caughtUp: !lane.behind, published });
    const pause = lane.moved ? LIMITS.outboxRecordMs : LIMITS.outboxIdleRecordMs;
    if (text === lane.recorded || (!atOnce && clock.monoMs() - lane.recordedMs < pause)) return;
    try {
      lane.revision = await keys.put(outboxKey(number), text, lane.revision);
    } catch (error) {
      if (!(error instanceof BrokerError) || error.kind !== 'conflict') throw error;
      const entry = await keys.get(outboxKey(number));
      // Another node owns the partition now, or an earlier write of this node was stored although no answer came.
      if (positionIn(entry)?.by === writer && entry !== undefined) lane.revision = entry.revision;
      else this.#lanes.delete(number);
      return;
    }
    lane.recorded = text;
    lane.moved = false;
    lane.recordedMs = clock.monoMs();
    // Positions never go back.
    lane.published = published;
  }
}
