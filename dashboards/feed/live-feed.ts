/**
 * The live feed of a node. Its readers get topics of the whole system, and other nodes get the changes that they want of its partitions.
 * Figures are gathered from all owners on a timer, SKUs are pushed by their owners, and the hub passes both to readers.
 *
 * Invariants:
 *  LF1 A topic costs nothing while it has no reader on this node, except during the short time for which the hub keeps it (HB6).
 *  LF2 Nodes repeat their messages: reports every second, wishes every two. A lost message makes a value late, never wrong.
 */

import type { SourceClock } from '../../actors/anomaly/sources.ts';
import type { ItemBook } from '../../actors/item/book.ts';
import { type PeerHandlers, type SkuValue, skuValue } from '../../actors/ports/peer-operations.ts';
import type { Peers } from '../../actors/ports/ports.ts';
import type { StockBook } from '../../actors/stock/book.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Clock, every } from '../../streams/clock.ts';
import { listOf, MESSAGE_VERSION, Misfit, packMessage, readMessage } from '../../streams/messages.ts';
import { changesSubject, NODE_REPORTS_SUBJECT, partitionOf } from '../../streams/subjects.ts';
import type { LocationPart } from '../kpi/figures.ts';
import type { KpiObserver } from '../kpi/observer.ts';
import { mergeRequestStats } from '../kpi/request-stats.ts';
import type { GatherHandlers } from '../query/gather-operations.ts';
import { Gather } from '../query/scatter-gather.ts';
import { readsHandlers, SystemReads } from '../query/system-queries.ts';
import type { AnomalyTopic, SystemTopic } from '../topics.ts';
import type { AnomalySource } from './anomaly-source.ts';
import { FiguresFeed, figuresHandlers } from './figures-feed.ts';
import { Hub } from './hub.ts';
import { type Living, type NodeReport, nodeReport, Roster } from './roster.ts';
import { CONFLATE_MS, RENEW_MS, type SkuInterest, type SkuInterests, type SkuTopicKind } from './sku-interest.ts';
import { SkuFeed } from './sku-subscriptions.ts';
import { parseTopic, type TopicName } from './topic-name.ts';
import type { Wire } from './wire.ts';

/** How often figures are sent to their readers. */
const FIGURES_MS = 500;
const REPORT_MS = 1_000;

/** A partition that is served here. */
export interface ServedPartition {
  readonly book: StockBook;
  readonly items: ItemBook;
  readonly kpi: KpiObserver;
  /** The clocks of the devices at the locations whose home the partition is. */
  readonly clocks: () => readonly SourceClock[];
}

/** The clock slack now in force, and the moment to which what older rules had believed was moved (Rules.latestOf). */
export interface ClockRule {
  readonly slackMs: number;
  readonly movedTo: number | undefined;
}

export interface LiveDeps {
  readonly clock: Clock;
  readonly wire: Wire;
  readonly peers: Peers;
  /** Writer id of this start of the node. */
  readonly writer: string;
  /** Number of partitions in all. */
  readonly partitions: number;
  /** Wishes for SKUs, which are notified of each SKU that a fold changes. */
  readonly interest: SkuInterests;
  /** The partition; undefined unless it is served here now, under a lease. */
  readonly served: (partition: number) => ServedPartition | undefined;
  readonly clockRule: () => ClockRule;
  readonly report: () => Omit<NodeReport, 'v' | 'writer' | 'owns' | 'leaves'>;
  /** Live nodes, from the nodes' bucket. */
  readonly living: () => Living;
  /** Names of outcomes, in the order of their counters. */
  readonly outcomes: readonly string[];
  readonly anomalies: AnomalySource;
  /** The fields of `system` beside nodes and owners. */
  readonly system: () => Promise<Pick<SystemTopic, 'parked' | 'durability' | 'horizonSeconds' | 'version'>>;
  readonly sent: () => void;
  readonly encoded: () => void;
  readonly skipped: () => void;
  /** Reports a malformed answer of another node. */
  readonly misfit: (error: Misfit) => void;
  /** Reports a bug, which costs a topic one value. */
  readonly failed: (error: unknown) => void;
}

const changes = listOf(skuValue, 10_000);

export class LiveFeed {
  readonly hub: Hub;
  readonly reads: SystemReads;
  readonly figures: FiguresFeed;
  readonly clockRule: () => ClockRule;
  readonly #deps: LiveDeps;
  readonly #roster = new Roster();
  readonly #gather: Gather;
  readonly #interests: SkuInterests;
  readonly #skus: SkuFeed;
  /** By topic, the location that is read and its parts by partition. */
  readonly #locations = new Map<string, { readonly id: string; readonly parts: Map<number, LocationPart> }>();
  readonly #ends: (() => void)[] = [];
  #kpiBusy = false;
  #locationsBusy = false;

  constructor(deps: LiveDeps) {
    this.#deps = deps;
    this.clockRule = deps.clockRule;
    const { clock, peers, partitions, writer } = deps;
    this.#gather = new Gather({
      partitions,
      clock,
      peers,
      serves: (partition) => deps.served(partition) !== undefined,
      handlers: this.#gathered(),
      misfit: deps.misfit,
      owners: () => this.#roster.owners(clock.monoMs()),
    });
    this.reads = new SystemReads(this.#gather, partitions);
    this.figures = new FiguresFeed({
      clock,
      gather: this.#gather,
      asked: () => mergeRequestStats(this.#roster.asked(), deps.outcomes),
      anomalies: () => deps.anomalies.open(),
    });
    this.#interests = deps.interest;
    this.#skus = new SkuFeed({
      clock,
      reader: writer,
      partitionOf: (sku) => partitionOf(sku, partitions),
      want: (partition, interest) => this.#want(partition, interest),
      failed: deps.failed,
      publish: (value, changed) => this.#publishSku(value, changed),
    });
    this.hub = new Hub({
      opened: (topic) => this.#opened(topic),
      closed: (topic) => this.#closed(topic),
      versioned: (topic) => skuTopic(parseTopic(topic)) !== undefined,
      sent: deps.sent,
      encoded: deps.encoded,
      skipped: deps.skipped,
      turn: (call) => deps.clock.turn(call),
    });
  }

  start(): void {
    const { clock, wire, writer, anomalies } = this.#deps;
    const reports = wire.listen(NODE_REPORTS_SUBJECT, (data) => this.#hear(data));
    const told = wire.listen(changesSubject(writer), (data) => this.#skus.take(readMessage(changes, data)));
    this.#ends.push(
      () => reports.stop(),
      () => told.stop(),
      anomalies.onChange((anomaly) => this.#publishAnomaly(anomaly)),
      every(clock, CONFLATE_MS, () => {
        this.#passOn();
        this.hub.drain(clock.monoMs());
      }),
      every(clock, FIGURES_MS, () => {
        if (this.hub.has('kpi')) this.#sendKpi();
        if (this.#locations.size > 0) this.#sendLocations();
      }),
      every(clock, REPORT_MS, () => {
        this.#report();
        this.#roster.forget(clock.monoMs(), this.#deps.living());
        this.#interests.expire(clock.monoMs());
        if (this.hub.has('system')) this.#sendSystem();
      }),
      every(clock, RENEW_MS, () => this.#skus.renew()),
    );
    this.#report();
  }

  /** Reports that the node leaves, and sends nothing after that. */
  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#skus.stop();
    this.#report(true);
  }

  /** To be called when the set of partitions served here has changed. */
  ownershipChanged(): void {
    if (this.#ends.length === 0) return;
    this.#report();
    this.#skus.renew();
  }

  /** Passes changed SKUs on to readers here and on other nodes. */
  #passOn(): void {
    const { clock, served, writer } = this.#deps;
    this.#interests.flush(
      clock.nowMs(),
      clock.monoMs(),
      (partition) => served(partition)?.book,
      (reader, values) => {
        if (reader === writer) this.#skus.take(values);
        else this.#sendChanges(reader, values);
      },
    );
  }

  /** Handles requests of other nodes for partitions that they believe are served here. */
  readonly handlers: PeerHandlers<'gather' | 'live-want'> = {
    gather: (_, request) => this.#gather.serve(request),
    'live-want': async (partition, interest) => this.#interestHere(partition, interest),
  };

  async system(): Promise<SystemTopic> {
    const { clock, partitions } = this.#deps;
    const rest = await this.#deps.system();
    const now = clock.monoMs();
    return {
      nodes: this.#roster.nodes(now),
      partitions,
      owners: this.#roster.ownersShown(partitions, now),
      ...rest,
    };
  }

  // Work for a topic begins with its first reader and ends in `#closed` (LF1).
  #opened(topic: string): void {
    const name = parseTopic(topic);
    switch (name?.kind) {
      case 'kpi':
        this.#sendKpi();
        return;
      case 'system':
        this.#sendSystem();
        return;
      case 'anomaly':
        for (const anomaly of this.#deps.anomalies.open()) this.#publishAnomaly(anomaly);
        return;
      case 'location':
        this.#locations.set(topic, { id: name.id, parts: new Map() });
        this.#sendLocations([topic]);
        return;
      case 'atp':
      case 'stock':
        this.#skus.open(name.kind, name.id);
        return;
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

  #gathered(): GatherHandlers {
    const { served, clock } = this.#deps;
    return {
      ...figuresHandlers(
        () => clock.nowMs(),
        (partition) => {
          const here = served(partition);
          return here === undefined ? undefined : { kpi: here.kpi, epoch: here.book.epoch };
        },
      ),
      ...readsHandlers(
        (partition) => {
          const here = served(partition);
          return here === undefined ? undefined : { ...here, locations: () => here.kpi.locations.keys() };
        },
        () => clock.nowMs(),
      ),
    };
  }

  async #want(partition: number, interest: SkuInterest): Promise<readonly SkuValue[]> {
    if (this.#deps.served(partition) === undefined) return this.#deps.peers.ask(partition, 'live-want', interest);
    return this.#interestHere(partition, interest);
  }

  #interestHere(partition: number, interest: SkuInterest): SkuValue[] {
    const { clock, served } = this.#deps;
    const book = served(partition)?.book;
    return book === undefined ? [] : this.#interests.want(book, interest, clock.nowMs(), clock.monoMs());
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

  #sendKpi(): void {
    if (this.#kpiBusy) return;
    this.#kpiBusy = true;
    this.#background(async () => {
      try {
        this.#publish('kpi', await this.figures.kpi());
      } finally {
        this.#kpiBusy = false;
      }
    });
  }

  /** @param topics topics that have just been opened; all if left out */
  #sendLocations(topics?: readonly string[]): void {
    if (topics === undefined && this.#locationsBusy) return;
    if (topics === undefined) this.#locationsBusy = true;
    this.#background(async () => {
      try {
        await this.#publishLocations(topics);
      } finally {
        if (topics === undefined) this.#locationsBusy = false;
      }
    });
  }

  async #publishLocations(topics: readonly string[] | undefined): Promise<void> {
    const interests = [...this.#locations].filter(([topic]) => topics === undefined || topics.includes(topic));
    const parts = new Map(interests.map(([, { id, parts: known }]) => [id, known]));
    const figures = await this.figures.locationFigures(
      interests.map(([, { id }]) => id),
      (id) => parts.get(id) ?? new Map(),
    );
    interests.forEach(([topic], index) => {
      this.#publish(topic, figures[index]);
    });
  }

  #sendSystem(): void {
    this.#background(async () => this.#publish('system', await this.system()));
  }

  /** Sends without waiting. A topic that fails is sent again with its next value. */
  #background(send: () => Promise<void>): void {
    send().catch((error) => this.#deps.failed(error));
  }

  /** Splits the values so that each message fits. A value that fits no message arrives with the renewals of its reader (LF2). */
  #sendChanges(reader: string, values: readonly SkuValue[]): void {
    const { wire } = this.#deps;
    const message = packMessage(values);
    if (message.length <= wire.room || values.length < 2) {
      wire.send(changesSubject(reader), message);
      return;
    }
    const middle = values.length >> 1;
    this.#sendChanges(reader, values.slice(0, middle));
    this.#sendChanges(reader, values.slice(middle));
  }

  #publish(topic: string, data: unknown): void {
    this.hub.publish({ topic, at: new Date(this.#deps.clock.nowMs()).toISOString(), data });
  }

  #report(leaves = false): void {
    const { clock, wire, writer, partitions, served } = this.#deps;
    const owns: [number, number][] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const book = leaves ? undefined : served(partition)?.book;
      if (book !== undefined) owns.push([partition, book.epoch]);
    }
    const { figures, asked } = this.#deps.report();
    const reasons = figures.reasons.slice(0, LIMITS.reportReasons).map((reason) => reason.slice(0, LIMITS.reportText));
    const report: NodeReport = {
      v: MESSAGE_VERSION,
      writer,
      figures: { ...figures, reasons },
      owns,
      asked,
      ...(leaves ? { leaves: true } : {}),
    };
    // The node knows its own report even while NATS is unreachable.
    this.#roster.hear(report, clock.monoMs(), new Map([[writer, figures.name]]));
    wire.send(NODE_REPORTS_SUBJECT, packMessage(report));
  }

  #hear(data: Uint8Array): void {
    const { clock, living, writer } = this.#deps;
    if (data.length > LIMITS.reportBytes) throw new Misfit(`a report of ${data.length} bytes`);
    // Anyone who can publish can send thousands, so a report without the writer of a known node is not decoded.
    if (!this.#roster.isNamedIn(data, living())) throw new Misfit('a report of a node that does not live');
    const report = readMessage(nodeReport, data);
    if (report.writer !== writer && !this.#roster.hear(report, clock.monoMs(), living()))
      throw new Misfit('a report of a node that does not live');
  }
}

function skuTopic(name: TopicName | undefined): SkuTopicKind | undefined {
  return name?.kind === 'atp' || name?.kind === 'stock' ? name.kind : undefined;
}
