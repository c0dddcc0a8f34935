/**
 * The core of a node, put together from its ports: ownership, engine, desks, and the answers that other nodes ask for. What it stands on
 * is given: src/node.ts gives NATS and Redis, a simulation what it likes.
 */
import { LIMITS } from '../config/limits.ts';
import type { FactStream } from '../config/topology.ts';
import type { Broker, Keys } from '../streams/broker.ts';
import type { Clock } from '../streams/clock.ts';
import type { Baselines } from './baseline.ts';
import { Desk } from './desk.ts';
import { Engine, type EngineEvents, type EngineSettings, type MakeWatch } from './engine.ts';
import { explain } from './explain.ts';
import { StreamFactDesk } from './fact-desk.ts';
import { Horizons } from './horizons.ts';
import { Marks } from './marks.ts';
import { type OwnerPoint, POINT_OPERATION } from './owner-points.ts';
import { type NodeInfo, Ownership } from './ownership.ts';
import type { Peers } from './ports.ts';
import { undecided } from './refusal.ts';
import { resubmitsByHeader } from './resubmitted.ts';
import type { SnapshotStore } from './snapshotter.ts';

export interface CoreWorld {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly store: SnapshotStore;
  /** Copies of the whole state that trimmed streams go on from; a world whose streams are never trimmed has none. */
  readonly baselines: Baselines;
  /** Keys of live nodes, which expire, and of the partitions' owners. */
  readonly nodes: Keys;
  readonly owners: Keys;
  /** How far the streams are known to have come. */
  readonly marks: Keys;
  /** The list of horizons in force. */
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
  readonly watch?: MakeWatch;
}

export interface Core {
  readonly ownership: Ownership;
  readonly engine: Engine;
  readonly desk: Desk;
  readonly facts: StreamFactDesk;
  /** What another node asks of a partition that it takes to be ours. */
  readonly serve: (partition: number, operation: string, body: unknown) => Promise<unknown>;
  /** Whether requests of other nodes for a partition are answered here. */
  readonly serves: (partition: number) => boolean;
}

/** Puts a core together; nothing runs before `engine.start()`. */
export function buildCore(world: CoreWorld): Core {
  const { broker, clock, peers, settings } = world;
  const { partitions, leaseTtlMs } = settings;
  const horizons = new Horizons(world.horizons, settings.horizonMs);
  const ownership = new Ownership(world.nodes, world.owners, clock, world.self, leaseTtlMs, world.isDead);
  const marks = new Marks(world.marks, broker, world.self().name, world.created);
  const engine = new Engine({ ...world, marks, horizons, ownership, writer: world.self().writer });
  // A node whose lease ran out may not know yet that another one owns what it holds: what it says of a part would be old.
  const serves = (number: number) => engine.partitions.get(number)?.serving === true && ownership.leased;
  const desk = new Desk(
    {
      partitions: engine.partitions,
      count: partitions,
      clock,
      laneTimeMs: settings.laneTimeMs,
      peers,
      leased: () => ownership.leased,
      explain: (partition, sku, location) =>
        explain(
          { broker, clock, baselines: world.baselines, partition, partitions, marks: engine.intake.marks, horizons },
          sku,
          location,
        ),
    },
    engine.reservations,
  );
  const facts = new StreamFactDesk({
    broker,
    intake: engine.intake,
    peers,
    park: (parking) => engine.park(parking),
    stopping: () => engine.stopping,
    refused: () => engine.factsRefused,
    nonce: world.nonce,
    resubmitsByHeader,
    parked: (reason) => engine.countParked(reason),
    clock,
    partitions,
    horizons,
  });
  const serve = async (partition: number, operation: string, body: unknown) => {
    if (operation === POINT_OPERATION) return pointOfOwner(engine, partition, settings);
    if (operation !== 'verdict') return desk.serve(operation, body);
    const { stream, seq } = body as { stream: FactStream; seq: number };
    return { verdict: await engine.intake.verdict(stream, seq, partition, LIMITS.verdictMs) };
  };
  return { ownership, engine, desk, facts, serve, serves };
}

/** How far this owner is, for commands that look at the streams. */
function pointOfOwner(engine: Engine, number: number, { reservationMemoryMs }: EngineSettings): OwnerPoint {
  const partition = engine.partitions.get(number);
  if (partition === undefined) throw undecided(`partition ${number} is moving`);
  return {
    writer: engine.journal.writer,
    epoch: partition.book.epoch,
    positions: { ...partition.positions },
    journalSeq: partition.journalSeq,
    reservationMemoryMs,
  };
}
