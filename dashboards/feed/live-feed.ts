/**
 * The live feed of a node: topics of the whole system for its readers, and for other nodes what they want of its partitions.
 *
 * Invariants:
 *  LF1 A topic costs nothing while nobody on this node reads it, but for the moment for which the hub keeps it (HB6).
 *  LF2 What nodes tell each other is told again: reports every second, wishes every two. A lost message makes a value late, never wrong.
 */
import type { Peers } from '../../actors/ports.ts';
import type { StockBook } from '../../actors/stock/state.ts';
import { type Clock, every } from '../../streams/clock.ts';
import { decodeBody, encodeBody, MSGPACK_TYPE } from '../../streams/codec.ts';
import { changesSubject, NODE_REPORTS_SUBJECT, partitionOf } from '../../streams/subjects.ts';
import { mergeAsked } from '../kpi/asked.ts';
import type { LocationPart } from '../kpi/figures.ts';
import type { KpiWatch } from '../kpi/kpi-watch.ts';
import type { AnomalyTopic, SystemTopic } from '../topics.ts';
import type { AnomalySource } from './anomaly-source.ts';
import { answerFigures, FiguresFeed } from './figures-feed.ts';
import { GATHER_OPERATION, Gather, type GatherRequest } from './gather.ts';
import { Hub } from './hub.ts';
import { type NodeReport, Roster } from './roster.ts';
import { SkuFeed } from './sku-feed.ts';
import { answerReads, SystemReads } from './system-reads.ts';
import { parseTopic, type TopicName } from './topic-name.ts';
import {
  CONFLATE_MS,
  RENEW_MS,
  type SkuTopicKind,
  type SkuValue,
  WANT_OPERATION,
  Wanted,
  type Wish,
} from './wanted.ts';
import type { Wire } from './wire.ts';

/** How often figures are sent to those who look at them. */
const FIGURES_MS = 500;
const REPORT_MS = 1_000;

/** A partition that is served here. */
export interface ServedPartition {
  readonly book: StockBook;
  readonly kpi: KpiWatch;
}

export interface LiveWorld {
  readonly clock: Clock;
  readonly wire: Wire;
  readonly peers: Peers;
  /** This start of this node. */
  readonly writer: string;
  /** P: partitions in all. */
  readonly partitions: number;
  /** Undefined if it is not served here now, under a lease. */
  readonly served: (partition: number) => ServedPartition | undefined;
  readonly report: () => Omit<NodeReport, 'writer' | 'owns' | 'leaves'>;
  /** Names of outcomes in the order in which they are counted. */
  readonly outcomes: readonly string[];
  readonly anomalies: AnomalySource;
  /** What `system` shows beside nodes and owners. */
  readonly system: () => Promise<Pick<SystemTopic, 'parked' | 'durability' | 'version'>>;
  readonly sent: () => void;
  readonly encoded: () => void;
  readonly skipped: () => void;
}

export class LiveFeed {
  readonly hub: Hub;
  readonly reads: SystemReads;
  readonly figures: FiguresFeed;
  readonly #world: LiveWorld;
  readonly #roster = new Roster();
  readonly #gather: Gather;
  readonly #wanted: Wanted;
  readonly #skus: SkuFeed;
  /** Parts of the locations that somebody reads, by partition. */
  readonly #locations = new Map<string, { readonly id: string; readonly parts: Map<number, LocationPart> }>();
  readonly #ends: (() => void)[] = [];
  #kpiBusy = false;
  #locationsBusy = false;

  constructor(world: LiveWorld) {
    this.#world = world;
    const { clock, peers, partitions, writer, wire } = world;
    this.#gather = new Gather({
      partitions,
      clock,
      peers,
      serves: (partition) => world.served(partition) !== undefined,
      answer: (partition, operation, body) => this.#answer(partition, operation, body),
      owners: () => this.#roster.owners(clock.monoMs()),
    });
    this.reads = new SystemReads(this.#gather, partitions);
    this.figures = new FiguresFeed({
      clock,
      gather: this.#gather,
      asked: () => mergeAsked(this.#roster.asked(), world.outcomes),
      anomalies: () => world.anomalies.open(),
    });
    this.#wanted = new Wanted(
      (partition) => world.served(partition)?.book,
      (reader, values) => {
        if (reader === writer) this.#skus.take(values);
        else wire.send(changesSubject(reader), encodeBody(values, MSGPACK_TYPE));
      },
    );
    this.#skus = new SkuFeed({
      clock,
      reader: writer,
      partitionOf: (sku) => partitionOf(sku, partitions),
      want: (partition, wish) => this.#want(partition, wish),
      publish: (value, changed) => this.#publishSku(value, changed),
    });
    this.hub = new Hub({
      opened: (topic) => this.#opened(topic),
      closed: (topic) => this.#closed(topic),
      versioned: (topic) => skuTopic(parseTopic(topic)) !== undefined,
      sent: world.sent,
      encoded: world.encoded,
      skipped: world.skipped,
      turn: (call) => world.clock.turn(call),
    });
  }

  start(): void {
    const { clock, wire, writer, anomalies } = this.#world;
    const reports = wire.listen(NODE_REPORTS_SUBJECT, (data) => this.#hear(data));
    const changes = wire.listen(changesSubject(writer), (data) => {
      this.#skus.take(decodeBody(data, MSGPACK_TYPE) as SkuValue[]);
    });
    this.#ends.push(
      () => reports.stop(),
      () => changes.stop(),
      anomalies.onChange((anomaly) => this.#publishAnomaly(anomaly)),
      every(clock, CONFLATE_MS, () => {
        this.#wanted.flush(clock.nowMs(), clock.monoMs());
        this.hub.drain(clock.monoMs());
      }),
      every(clock, FIGURES_MS, () => {
        if (this.hub.has('kpi')) void this.#sendKpi();
        if (this.#locations.size > 0) void this.#sendLocations();
      }),
      every(clock, REPORT_MS, () => {
        this.#report();
        this.#roster.forget(clock.monoMs());
        this.#wanted.expire(clock.monoMs());
        if (this.hub.has('system')) void this.#sendSystem();
      }),
      every(clock, RENEW_MS, () => this.#skus.renew()),
    );
    this.#report();
  }

  /** Says that it leaves, and tells nobody anything more. */
  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#skus.stop();
    this.#report(true);
  }

  /** The partitions that are served here are others now. */
  ownershipChanged(): void {
    if (this.#ends.length === 0) return;
    this.#report();
    this.#skus.renew();
  }

  /** A stock key of this SKU was changed by a fold. */
  changed(sku: string): void {
    this.#wanted.changed(sku);
  }

  /** Whether another node's request is for the feed. */
  takes(operation: string): boolean {
    return operation === GATHER_OPERATION || operation === WANT_OPERATION;
  }

  async serve(partition: number, operation: string, body: unknown): Promise<unknown> {
    if (operation === GATHER_OPERATION) return this.#gather.serve(body as GatherRequest);
    const { clock } = this.#world;
    return this.#wanted.want(partition, body as Wish, clock.nowMs(), clock.monoMs());
  }

  async system(): Promise<SystemTopic> {
    const { clock, partitions } = this.#world;
    const rest = await this.#world.system();
    const now = clock.monoMs();
    return {
      nodes: this.#roster.nodes(now),
      partitions,
      owners: this.#roster.ownersShown(partitions, now),
      ...rest,
    };
  }

  #opened(topic: string): void {
    const name = parseTopic(topic);
    switch (name?.kind) {
      case 'kpi':
        return void this.#sendKpi();
      case 'system':
        return void this.#sendSystem();
      case 'anomaly':
        for (const anomaly of this.#world.anomalies.open()) this.#publishAnomaly(anomaly);
        return;
      case 'location':
        this.#locations.set(topic, { id: name.id, parts: new Map() });
        return void this.#sendLocations([topic]);
      case 'atp':
      case 'stock':
        return this.#skus.open(name.kind, name.id);
      case undefined:
        return;
    }
  }

  #closed(topic: string): void {
    this.#locations.delete(topic);
    const name = parseTopic(topic);
    const kind = skuTopic(name);
    if (name !== undefined && kind !== undefined) this.#skus.close(kind, name.id);
  }

  #answer(partition: number, operation: string, body: unknown): unknown {
    const served = this.#world.served(partition);
    if (served === undefined) return undefined;
    const { book, kpi } = served;
    return (
      answerFigures(kpi, partition, book.epoch, this.#world.clock.nowMs(), operation, body) ??
      answerReads(book, () => kpi.locations.keys(), operation, body)
    );
  }

  async #want(partition: number, wish: Wish): Promise<readonly SkuValue[]> {
    const { clock, peers, served } = this.#world;
    if (served(partition) === undefined) return (await peers.ask(partition, WANT_OPERATION, wish)) as SkuValue[];
    return this.#wanted.want(partition, wish, clock.nowMs(), clock.monoMs());
  }

  #publishSku({ kind, sku, atMs, data }: SkuValue, changed: boolean): void {
    const message = { topic: `${kind}:${encodeURIComponent(sku)}`, at: new Date(atMs).toISOString(), data };
    if (changed) this.hub.publish(message);
    else this.hub.confirm(message);
  }

  #publishAnomaly(anomaly: AnomalyTopic): void {
    const message = { topic: 'anomaly', at: anomaly.updatedAt, data: anomaly };
    this.hub.publish(message, { key: anomaly.id, gone: anomaly.state === 'resolved' });
  }

  async #sendKpi(): Promise<void> {
    if (this.#kpiBusy) return;
    this.#kpiBusy = true;
    try {
      this.#publish('kpi', await this.figures.kpi());
    } finally {
      this.#kpiBusy = false;
    }
  }

  /** @param topics those that have just been opened; all if left out */
  async #sendLocations(topics?: readonly string[]): Promise<void> {
    if (topics === undefined && this.#locationsBusy) return;
    if (topics === undefined) this.#locationsBusy = true;
    try {
      const wanted = [...this.#locations].filter(([topic]) => topics === undefined || topics.includes(topic));
      const parts = new Map(wanted.map(([, { id, parts: known }]) => [id, known]));
      const figures = await this.figures.locationFigures(
        wanted.map(([, { id }]) => id),
        (id) => parts.get(id) ?? new Map(),
      );
      wanted.forEach(([topic], index) => {
        this.#publish(topic, figures[index]);
      });
    } finally {
      if (topics === undefined) this.#locationsBusy = false;
    }
  }

  async #sendSystem(): Promise<void> {
    this.#publish('system', await this.system());
  }

  #publish(topic: string, data: unknown): void {
    this.hub.publish({ topic, at: new Date(this.#world.clock.nowMs()).toISOString(), data });
  }

  #report(leaves = false): void {
    const { clock, wire, writer, partitions, served } = this.#world;
    const owns: [number, number][] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const book = leaves ? undefined : served(partition)?.book;
      if (book !== undefined) owns.push([partition, book.epoch]);
    }
    const report: NodeReport = { ...this.#world.report(), writer, owns, ...(leaves ? { leaves: true } : {}) };
    // Its own it knows also while NATS is away.
    this.#roster.hear(report, clock.monoMs());
    wire.send(NODE_REPORTS_SUBJECT, encodeBody(report, MSGPACK_TYPE));
  }

  #hear(data: Uint8Array): void {
    const report = decodeBody(data, MSGPACK_TYPE) as NodeReport;
    if (report.writer !== this.#world.writer) this.#roster.hear(report, this.#world.clock.monoMs());
  }
}

function skuTopic(name: TopicName | undefined): SkuTopicKind | undefined {
  return name?.kind === 'atp' || name?.kind === 'stock' ? name.kind : undefined;
}
