/**
 * The core of a node, put together from its ports: ownership, engine, desks, and the answers that other nodes ask for. What it stands on
 * is given: src/node/node.ts gives NATS and Redis, a simulation what it likes.
 */
import { LIMITS } from '../../config/limits.ts';
import type { Broker, Keys } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { Rules } from '../idempotency/rules.ts';
import { RulesList } from '../idempotency/rules-list.ts';
import { StreamFactIngress } from '../ingest/submit.ts';
import { Writers } from '../log/writers.ts';
import { type NodeInfo, Ownership } from '../ownership/ownership.ts';
import type { MakeObserver } from '../partition/observer.ts';
import type { OwnerPoint } from '../ports/owner-progress.ts';
import type { CoreOperation, PeerHandlers } from '../ports/peer-operations.ts';
import type { Peers } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import { HighWaterMarks } from '../recovery/high-water-marks.ts';
import { explain } from '../request/explain.ts';
import { RequestRouter } from '../request/router.ts';
import { Turnstile } from '../request/turnstile.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';
import type { SnapshotStore } from '../snapshot/snapshotter.ts';
import { Engine } from './engine.ts';
import type { EngineEvents, EngineSettings } from './parts.ts';

export interface CoreDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly store: SnapshotStore;
  /** Copies of the whole state that trimmed streams go on from; a world whose streams are never trimmed has none. */
  readonly baselines: Baselines;
  /** Keys of live nodes, which expire, and of the partitions' owners. */
  readonly nodes: Keys;
  readonly owners: Keys;
  /** How far the streams are known to have come. */
  readonly highWaterMarks: Keys;
  /** Who may have records in JOURNAL, and what people have judged. */
  readonly writers: Keys;
  readonly skips: Keys;
  /** What keeps programs of 0.1 out, and the lock of JOURNAL's metadata. */
  readonly horizons: Keys;
  readonly peers: Peers;
  readonly self: () => NodeInfo;
  /** Whether a process of this machine is certainly gone. */
  readonly isDead: (process: string) => boolean;
  /** Identity of every stream: when it was made. */
  readonly created: Readonly<Record<string, string>>;
  readonly settings: EngineSettings & { readonly laneTimeMs: number };
  readonly events: EngineEvents;
  /** A word that was never used before, which nobody can guess. */
  readonly nonce: () => string;
  /** Streams that have no room left, in words. */
  readonly storage?: { readonly reasons: readonly string[] };
  /** Who watches the partitions; nobody if it is left out. */
  readonly observer?: MakeObserver;
}

export interface Core {
  readonly ownership: Ownership;
  readonly engine: Engine;
  readonly router: RequestRouter;
  readonly facts: StreamFactIngress;
  /** What other nodes ask of partitions that they take to be ours. */
  readonly handlers: PeerHandlers<CoreOperation>;
  /** Whether requests of other nodes for a partition are answered here. */
  readonly serves: (partition: number) => boolean;
}

/** Puts a core together; nothing runs before `engine.start()`. */
export function buildCore(deps: CoreDeps): Core {
  const { broker, clock, peers, settings } = deps;
  const { partitions, leaseTtlMs } = settings;
  const rules = new Rules();
  const ownership = new Ownership(deps.nodes, deps.owners, clock, deps.self, leaseTtlMs, deps.isDead);
  const highWaterMarks = new HighWaterMarks(deps.highWaterMarks, broker, deps.self().name, deps.created);
  const rulesList = new RulesList({
    broker,
    clock,
    keys: deps.horizons,
    live: () => ownership.live(),
    firstHorizonMs: settings.horizonMs,
  });
  const writers = new Writers(deps);
  const engine = new Engine({
    ...deps,
    highWaterMarks,
    writers,
    rules,
    rulesList,
    ownership,
    writer: deps.self().writer,
  });
  // A node whose lease ran out may not know yet that another one owns what it holds: what it says of a part would be old.
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
      laneTimeMs: settings.laneTimeMs,
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
  const facts = new StreamFactIngress({
    broker,
    intake: engine.intake,
    peers,
    parking: engine.parking,
    stopping: () => engine.stopping,
    nonce: deps.nonce,
    // A node of 0.1, which believes the header alone, may live as long as its rules are the newest.
    resubmitsByHeader: () => rules.newest.version === 1,
    parked: deps.events.parked,
    clock,
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
  const handlers: PeerHandlers<CoreOperation> = {
    ...router.handlers,
    ...engine.coordinator.handlers,
    point: async (partition) => pointOfOwner(engine, partition, settings),
    verdict: async (partition, { stream, seq }) => ({
      verdict: await engine.intake.outcome(stream, seq, partition, LIMITS.verdictMs),
    }),
  };
  return { ownership, engine, router, facts, handlers, serves };
}

/** How far this owner is, for commands that look at the streams. */
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
