/**
 * The core of a node, put together from its ports: ownership, engine, router, fact ingress, and the answers to other nodes. All outside
 * systems are injected. src/node/node.ts passes NATS and Redis, a simulation its own.
 */
import { LIMITS } from '../../config/limits.ts';
import type { Broker, Keys } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { Rules } from '../idempotency/rules.ts';
import { RulesList } from '../idempotency/rules-list.ts';
import { StreamFactIngress } from '../ingest/submit.ts';
import { Writers } from '../log/writers.ts';
import { Outbox, type OutboxDeps } from '../outbox/outbox.ts';
import { type NodeInfo, Ownership } from '../ownership/ownership.ts';
import { ParkedDesk } from '../parked/desk.ts';
import type { MakeObserver } from '../partition/observer.ts';
import { NO_POLICIES } from '../policy/policy.ts';
import type { OwnerPoint } from '../ports/owner-progress.ts';
import type { CoreOperation, PeerHandlers } from '../ports/peer-operations.ts';
import type { Peers } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import { HighWaterMarks } from '../recovery/high-water-marks.ts';
import { explain } from '../request/explain.ts';
import { ItemDesk } from '../request/item-desk.ts';
import { RequestRouter } from '../request/router.ts';
import { Turnstile } from '../request/turnstile.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';
import type { SnapshotStore } from '../snapshot/snapshotter.ts';
import { Engine } from './engine.ts';
import type { EngineEvents, EngineSettings, PolicySource } from './parts.ts';

export interface CoreDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly store: SnapshotStore;
  /** Copies of the whole state, from which a node starts if streams are trimmed. A world that never trims has none. */
  readonly baselines: Baselines;
  /** Keys of live nodes, which expire; `owners` has the owner of each partition. */
  readonly nodes: Keys;
  readonly owners: Keys;
  /** How far each stream is known to have come. */
  readonly highWaterMarks: Keys;
  /** Writers that may have records in JOURNAL; `skips` has the places that people have decided to skip. */
  readonly writers: Keys;
  readonly skips: Keys;
  /** Locks out programs of version 0.1, and holds the lock of JOURNAL's metadata. */
  readonly horizons: Keys;
  readonly peers: Peers;
  readonly self: () => NodeInfo;
  /** Whether a process of this machine is certainly gone. */
  readonly isDead: (process: string) => boolean;
  /** Creation time of every stream, which is its identity. */
  readonly created: Readonly<Record<string, string>>;
  readonly settings: EngineSettings & { readonly laneTimeMs: number };
  readonly events: EngineEvents;
  /** Returns a unique word that cannot be guessed. */
  readonly nonce: () => string;
  /** How far the events of each partition are published. A world without it publishes none. */
  readonly outbox?: Keys;
  readonly outboxEvents?: Pick<OutboxDeps, 'published' | 'trouble'>;
  /** One sentence for each stream that has no room left. */
  readonly storage?: { readonly reasons: readonly string[] };
  /** Makes the observer of each partition. Without it, partitions have none. */
  readonly observer?: MakeObserver;
  /** What is in force here. Without it, there are no policies. */
  readonly policies?: PolicySource;
}

export interface Core {
  readonly ownership: Ownership;
  readonly engine: Engine;
  readonly router: RequestRouter;
  readonly items: ItemDesk;
  readonly facts: StreamFactIngress;
  readonly parked: ParkedDesk;
  /** Answers to other nodes about partitions that they believe to be owned here. */
  readonly handlers: PeerHandlers<CoreOperation>;
  /** Whether requests from other nodes for a partition are answered here. */
  readonly serves: (partition: number) => boolean;
  readonly outbox: Outbox | undefined;
  readonly rules: Pick<Rules, 'next' | 'newest' | 'latestOf'>;
}

/** Builds a core. Nothing runs before `engine.start()`. */
export function buildCore(deps: CoreDeps): Core {
  const { broker, clock, peers, settings } = deps;
  const { partitions, leaseTtlMs } = settings;
  const rules = new Rules();
  const ownership = new Ownership(deps.nodes, deps.owners, clock, deps.self, leaseTtlMs, deps.isDead, deps.policies);
  const highWaterMarks = new HighWaterMarks(deps.highWaterMarks, broker, deps.self().name, deps.created);
  const rulesList = new RulesList({
    broker,
    clock,
    keys: deps.horizons,
    live: () => ownership.live(),
    firstHorizonMs: settings.horizonMs,
    firstPieces: settings.pieces,
  });
  const writers = new Writers(deps);
  let outbox: Outbox | undefined;
  const engine = new Engine({
    ...deps,
    events: {
      ...deps.events,
      counted: (...told) => outbox?.counted(...told),
      recorded: (...told) => outbox?.journaled(...told),
    },
    highWaterMarks,
    writers,
    rules,
    rulesList,
    ownership,
    terms: { policies: deps.policies?.policies ?? NO_POLICIES, laneTime: settings.laneTimeMs * 1000, generation: 0 },
    writer: deps.self().writer,
  });
  if (deps.outbox !== undefined && deps.outboxEvents !== undefined)
    outbox = new Outbox({
      ...deps.outboxEvents,
      broker,
      clock,
      rules,
      keys: deps.outbox,
      count: partitions,
      marks: engine.intake.marks,
      admission: () => writers.latest,
      partitions: engine.partitions,
      writer: deps.self().writer,
    });
  // After a lease ran out, another node may own what this one holds, so an answer about a part could be stale.
  // mutant: parts-without-lease
  const serves = (number: number) => engine.partitions.get(number)?.serving === true && ownership.leased;
  const explains = new Turnstile(
    clock,
    { atOnce: LIMITS.explainsAtOnce, waiting: LIMITS.explainsWaiting, restMs: LIMITS.explainRestMs },
    'explanations',
  );
  const router = new RequestRouter(
    {
      partitions: engine.partitions,
      count: partitions,
      clock,
      peers,
      lease: ownership,
      explain: (partition, key, page) =>
        explains.pass(() =>
          explain(
            { broker, clock, baselines: deps.baselines, partition, partitions, marks: engine.intake.marks, rules },
            key,
            page,
          ),
        ),
    },
    engine.coordinator,
  );
  const items = new ItemDesk({ count: partitions, peers, served: (number) => router.served(number) });
  const facts = new StreamFactIngress({
    broker,
    intake: engine.intake,
    peers,
    parking: engine.parking,
    stopping: () => engine.stopping,
    parked: deps.events.parked,
    clock,
    aheadMs: () => ownership.aheadMs,
    partitions,
    rules,
    knows: (sku, location) =>
      router.stock(sku, location).then(
        () => true,
        (error) => {
          if (error instanceof Refusal && error.kind === 'not-found') return false;
          throw error;
        },
      ),
  });
  const parked = new ParkedDesk({
    broker,
    clock,
    partitions,
    rules,
    nonce: deps.nonce,
    // A node of 0.1 may live as long as its rules are the newest, and it recognizes resubmissions by the header alone.
    resubmitsByHeader: () => rules.newest.version === 1,
    serves,
    trouble: (why) =>
      deps.events.note('warn', 'parked facts cannot be read or finished now; it is tried again', { why }),
  });
  const handlers: PeerHandlers<CoreOperation> = {
    ...router.handlers,
    ...items.handlers,
    ...engine.coordinator.handlers,
    point: async (partition) => pointOfOwner(engine, partition, settings),
    verdict: async (partition, { stream, seq, places }) => {
      const found = await engine.intake.outcomes(stream, seq, places ?? [undefined], partition, LIMITS.verdictMs);
      // A node of an older version asks for the one fact of a message.
      return places === undefined ? { verdict: found?.[0] } : { verdicts: found };
    },
  };
  return { ownership, engine, router, items, facts, parked, handlers, rules, serves, outbox };
}

/** How far this owner has come, for commands that read the streams. */
function pointOfOwner(engine: Engine, number: number, { reservationMemoryMs }: EngineSettings): OwnerPoint {
  const partition = engine.partitions.get(number);
  if (partition === undefined) throw undecided(UNDECIDED.moving, `partition ${number}`);
  return {
    writer: engine.journal.writer,
    epoch: partition.book.epoch,
    positions: { ...partition.positions },
    journalSeq: partition.journalSeq,
    reservationMemoryMs,
  };
}
