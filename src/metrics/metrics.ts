/**
 * The counters, gauges and histograms of a node, in a registry of its own.
 *
 * Invariants:
 *  MX1 Every series with a known label value exists from the start, at 0, so `rate()` works across a restart.
 *  MX2 Labels are bounded: see src/metrics/families.ts, and src/metrics/kpi.ts for locations.
 *  MX3 Counting only adds to a plain number. The text is built at each scrape (render).
 */
import { assertionFailures, present } from '../../streams/assert.ts';
import { MESSAGE_KINDS, type MessageKind } from '../../streams/broker.ts';
import { type Family, type FamilyValue, Histogram } from './exposition.ts';
import { COUNTERS, COUNTERS_BY, GAUGES, GAUGES_BY, HISTOGRAMS, type MeasuredServer, SERVERS } from './families.ts';
import { FamilyRegistry } from './registry.ts';
import type { StreamBytes } from './storage.ts';

type Counter = keyof typeof COUNTERS;
type CounterBy = keyof typeof COUNTERS_BY;
type Gauge = keyof typeof GAUGES;
type GaugeBy = keyof typeof GAUGES_BY;
type HistogramName = keyof typeof HISTOGRAMS;
type LabelOf<
  Table extends Readonly<Record<string, { readonly values: readonly string[] }>>,
  Name extends keyof Table,
> = Table[Name]['values'][number];

/** Why a message was dropped. `fault` is a bug in this program. */
const DROP_REASONS = ['misfit', 'too-large', 'fault'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Callbacks for single families, called on each count or observation. */
export interface MetricsListener {
  readonly count?: Readonly<Partial<Record<Counter, (times: number) => void>>>;
  readonly countBy?: {
    readonly [Name in CounterBy]?: (label: LabelOf<typeof COUNTERS_BY, Name>, times: number) => void;
  };
  readonly observe?: Readonly<Partial<Record<HistogramName, (value: number) => void>>>;
}

export class Metrics {
  listener: MetricsListener = {};
  readonly #registry = new FamilyRegistry();
  readonly #counters = record(keysOf(COUNTERS), () => 0);
  readonly #countersBy = record(keysOf(COUNTERS_BY), (name) => zeros<string>(COUNTERS_BY[name].values));
  readonly #gauges = record(keysOf(GAUGES), () => (): number => 0);
  readonly #gaugesBy = record(keysOf(GAUGES_BY), () => (): ((label: string) => number | undefined) => () => 0);
  readonly #histograms = record(keysOf(HISTOGRAMS), (name) => new Histogram(HISTOGRAMS[name][0]));
  /** The latest round trip in seconds; undefined while the server does not answer. */
  readonly #roundTrips = new Map<MeasuredServer, number | undefined>();
  readonly #dropped = new Map(MESSAGE_KINDS.map((kind) => [kind, zeros(DROP_REASONS)]));

  constructor() {
    this.#add(
      'counter',
      'assertion_failures_total',
      'Assertions of the program that failed, by the id of the invariant.',
      () => [...assertionFailures].map(([invariant, value]) => ({ labels: { invariant }, value })),
    );
    // Each known label value gets its series now, before it is counted (MX1).
    for (const name of keysOf(COUNTERS))
      this.#add('counter', name, COUNTERS[name], () => [{ labels: {}, value: this.#counters[name] }]);
    for (const name of keysOf(COUNTERS_BY)) {
      const { label, values, help } = COUNTERS_BY[name];
      const counts = this.#countersBy[name];
      this.#add('counter', name, help, () =>
        values.map((value) => ({ labels: { [label]: value }, value: counts[value] as number })),
      );
    }
    for (const name of keysOf(GAUGES))
      this.#add('gauge', name, GAUGES[name], () => [{ labels: {}, value: this.#gauges[name]() }]);
    for (const name of keysOf(GAUGES_BY)) {
      const { label, values, help } = GAUGES_BY[name];
      this.#add('gauge', name, help, () => {
        const read = this.#gaugesBy[name]();
        return values.flatMap((value) => series(label, value, read(value)));
      });
    }
    for (const name of keysOf(HISTOGRAMS))
      this.#add('histogram', name, HISTOGRAMS[name][1], () => this.#histograms[name].read());
    this.gaugeBy('server_up', () => (server) => (this.#roundTrips.get(server) === undefined ? 0 : 1));
    // A server that does not answer has no round trip, so its series is left out.
    this.#add('gauge', 'server_round_trip_seconds', 'Round trip of the latest ping to a server that answers.', () =>
      SERVERS.flatMap((server) => series('server', server, this.#roundTrips.get(server))),
    );
    this.#add(
      'counter',
      'messages_dropped_total',
      'Messages that came to nothing, by what they were about: of another form than they must have, too large to be sent, or met by a fault.',
      () =>
        [...this.#dropped].flatMap(([about, counts]) =>
          DROP_REASONS.map((why) => ({ labels: { about, why }, value: counts[why] })),
        ),
    );
  }

  count(name: Counter, times = 1): void {
    // No text is built here, because this runs on hot paths (MX3).
    this.#counters[name] += times;
    this.listener.count?.[name]?.(times);
  }

  countBy<Name extends CounterBy>(name: Name, label: LabelOf<typeof COUNTERS_BY, Name>, times = 1): void {
    (this.#countersBy[name][label] as number) += times;
    this.listener.countBy?.[name]?.(label, times);
  }

  observe(name: HistogramName, value: number): void {
    this.#histograms[name].observe(value);
    this.listener.observe?.[name]?.(value);
  }

  /** Sets the function that reads a gauge at each scrape. */
  gauge(name: Gauge, read: () => number): void {
    this.#gauges[name] = read;
  }

  /** @param read function called once per scrape; it returns a function from label value to figure, or to undefined for no series */
  gaugeBy<Name extends GaugeBy>(
    name: Name,
    read: () => (label: LabelOf<typeof GAUGES_BY, Name>) => number | undefined,
  ): void {
    this.#gaugesBy[name] = read as () => (label: string) => number | undefined;
  }

  /** Adds a family whose label values are known only when it is read. The caller must bound them (MX2). */
  family(family: Family): void {
    this.#registry.add(family);
  }

  messageDropped(about: MessageKind, why: DropReason): void {
    present(this.#dropped.get(about))[why] += 1;
  }

  /** @param seconds round trip in seconds; undefined if the server did not answer in time */
  serverPinged(server: MeasuredServer, seconds: number | undefined): void {
    if (seconds === undefined) this.countBy('server_pings_failed_total', server);
    this.#roundTrips.set(server, seconds);
  }

  /** Exports the version and the name of the node. Queries join them to other series by `instance`. */
  build(version: string, node: string): void {
    this.#add('gauge', 'build_info', 'Always 1; its labels say which version runs, and the name of the node.', () => [
      { labels: { version, node }, value: 1 },
    ]);
  }

  /** Exports how full each stream is. */
  streamBytes(read: () => ReadonlyMap<string, StreamBytes>): void {
    this.#add('gauge', 'stream_bytes', 'Bytes that a stream holds.', () =>
      [...read()].map(([stream, { bytes }]) => ({ labels: { stream }, value: bytes })),
    );
    this.#add(
      'gauge',
      'stream_max_bytes',
      'The most that a stream may hold; 0: as much as the server has room for.',
      () => [...read()].map(([stream, { maxBytes }]) => ({ labels: { stream }, value: maxBytes ?? 0 })),
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text for a scrape (MX3). */
  render(): Promise<string> {
    return this.#registry.render();
  }

  #add(type: Family['type'], name: string, help: string, read: () => Iterable<FamilyValue>): void {
    this.#registry.add({ name, help, type, read });
  }
}

function series(label: string, of: string, value: number | undefined): FamilyValue[] {
  return value === undefined ? [] : [{ labels: { [label]: of }, value }];
}

function keysOf<Table extends object>(table: Table): (keyof Table & string)[] {
  return Object.keys(table) as (keyof Table & string)[];
}

function record<Key extends string, Value>(keys: readonly Key[], of: (key: Key) => Value): Record<Key, Value> {
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as Record<Key, Value>;
}

function zeros<Label extends string>(labels: readonly Label[]): Record<Label, number> {
  return record(labels, () => 0);
}
