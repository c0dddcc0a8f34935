/** The simulated world of one seed: its scheduler, server, store and nodes, and the nodes' subscriptions. */
import {
  HORIZONS_BUCKET,
  MARKS_BUCKET,
  NODES_BUCKET,
  OWNERS_BUCKET,
  SKIPS_BUCKET,
  WRITERS_BUCKET,
} from '../config/topology.ts';
import { MemoryLog } from '../streams/memory/log.ts';
import type { Random } from '../streams/random.ts';
import type { FreeBounds } from './free-bounds.ts';
import { EPOCH_MS, type Host } from './host.ts';
import { SimNode } from './node.ts';
import type { Options } from './options.ts';
import { Scheduler } from './scheduler.ts';
import type { Network, Peer, Subscriber } from './servers/network.ts';
import { ServerProcess } from './servers/server-process.ts';
import { Shelves } from './servers/store.ts';
import { Witness } from './witness/witness.ts';

/** A broken invariant or promise. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export class World implements Network {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly options: Options;
  readonly witness: Witness;
  readonly server: ServerProcess;
  readonly shelves: Shelves;
  readonly nodes: SimNode[];
  /** Every process that was ever started, by its writer name. */
  readonly processes = new Map<string, Host>();
  readonly notes: string[] = [];
  /** Writer that owns each partition according to the server. */
  readonly #owners = new Map<number, string>();
  declare freeBounds: FreeBounds;
  readonly #subscribed = new Map<Peer, { host: Host; numbers: ReadonlySet<number> }>();
  #failure: Violation | undefined;

  constructor(random: Random, options: Options) {
    this.random = random;
    this.options = options;
    this.scheduler = new Scheduler(random.fork('order'));
    this.shelves = new Shelves(options.sealed);
    this.shelves.slowMs = options.storeMs;
    const log = new MemoryLog(options.settings.partitions, () => this.nowMs);
    this.witness = new Witness(
      options.settings.partitions,
      (what) => this.fail(what),
      () => this.scheduler.nowMs,
    );
    log.hear((stream, message) => this.witness.stored(stream, message));
    log.onPut = (bucket, key, value) => {
      if (bucket === OWNERS_BUCKET)
        this.#owners.set(Number(key.slice(2)), (JSON.parse(value) as { writer: string }).writer);
    };
    log.bucket(NODES_BUCKET, options.settings.leaseTtlMs);
    log.bucket(OWNERS_BUCKET, Number.POSITIVE_INFINITY);
    log.bucket(MARKS_BUCKET, Number.POSITIVE_INFINITY);
    log.bucket(HORIZONS_BUCKET, Number.POSITIVE_INFINITY);
    log.bucket(WRITERS_BUCKET, Number.POSITIVE_INFINITY);
    log.bucket(SKIPS_BUCKET, Number.POSITIVE_INFINITY);
    this.server = new ServerProcess(log, options.mode, this.scheduler, random.fork('server'));
    this.server.maxRecordBytes = options.maxRecordBytes;
    this.server.maxPayloadBytes = options.maxPayloadBytes;
    this.nodes = Array.from({ length: options.nodes }, (_, i) => new SimNode(`n${i + 1}`, this));
    // Clients reconnect a moment after the server is up, and subscribe again.
    this.server.onUp.add(() => {
      const before = [...this.#subscribed];
      this.#subscribed.clear();
      for (const [node, { host, numbers }] of before) {
        this.scheduler.after(random.between(50, 400), () => {
          if (!host.alive) return;
          // In a cluster a consumer may die with its server while the node stays connected to another server.
          if (options.mode === 'single' || random.chance(0.3)) node.link.reconnected();
          if (!this.#subscribed.has(node)) this.#subscribed.set(node, { host, numbers });
        });
      }
    });
  }

  /** The true wall time. */
  get nowMs(): number {
    return EPOCH_MS + this.scheduler.nowMs;
  }

  fail(what: string): void {
    this.#failure ??= new Violation(what);
  }

  /** Throws the first violation, if there was one. */
  readonly check = (): void => {
    this.#checkOwners();
    if (this.#failure !== undefined) throw this.#failure;
  };

  /** A node answers for a partition only while it owns it, even if it has not heard yet who does (OW2, OW3). */
  #checkOwners(): void {
    for (const { running, core } of this.nodes) {
      if (!running || core === undefined || !core.ownership.leased) continue;
      const { journal, partitions } = core.engine;
      for (const { number, state } of partitions.values()) {
        const owner = this.#owners.get(number);
        if (state === 'serving' && owner !== journal.writer)
          this.fail(
            `${journal.writer} serves partition ${number}, which belongs to ${owner === '' ? 'nobody' : owner} (I9)`,
          );
      }
    }
  }

  note(text: string): void {
    this.notes.push(`${(this.scheduler.nowMs / 1000).toFixed(3)} ${text}`);
    if (this.notes.length > 2_000) this.notes.splice(0, 1_000);
  }

  isDead(process: string): boolean {
    return this.processes.get(process)?.alive === false;
  }

  subscribe(node: Peer, host: Host, numbers: readonly number[]): void {
    if (node.host === host) this.#subscribed.set(node, { host, numbers: new Set(numbers) });
  }

  unsubscribe(node: Peer): void {
    this.#subscribed.delete(node);
  }

  subscribers(partition: number): Subscriber[] {
    return [...this.#subscribed].flatMap(([node, { host, numbers }]) =>
      numbers.has(partition) ? [{ node, host }] : [],
    );
  }

  /** The state of each node, for people to read. */
  get standing(): string[] {
    return this.nodes.map(({ name, running, core }) => {
      if (!running || core === undefined) return `${name}: ${running ? 'starting' : 'not running'}`;
      return `${name}: ${core.engine.readiness.reasons.join('; ')}; serves ${core.engine.readiness.owned}`;
    });
  }

  /** Whether every process runs and every partition is served. */
  get settled(): boolean {
    let served = 0;
    for (const { running, core } of this.nodes) {
      if (!running || core === undefined || !core.ownership.leased) return false;
      const { owned } = core.engine.readiness;
      if (owned < core.engine.partitions.size) return false;
      served += owned;
    }
    return served === this.options.settings.partitions;
  }
}
