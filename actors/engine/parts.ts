/** The parts of an engine, built in the order of their dependencies. */
import type { FactStream } from '../../config/topology.ts';
import type { Broker } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { ParkMarks } from '../../streams/fact/parked/park-marks.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { Journal } from '../../streams/journal/journal.ts';
import { FactIds } from '../idempotency/fact-ids.ts';
import type { Rules } from '../idempotency/rules.ts';
import type { RulesList } from '../idempotency/rules-list.ts';
import { Followers } from '../ingest/followers.ts';
import { Intake, type IntakeEvents } from '../ingest/intake.ts';
import { FactParking } from '../ingest/parking.ts';
import { Progress } from '../ingest/progress.ts';
import type { Writers } from '../log/writers.ts';
import type { Followed, Ownership } from '../ownership/ownership.ts';
import { Expiry } from '../partition/expiry.ts';
import { reservationMemories } from '../partition/forgetting.ts';
import type { MakeObserver } from '../partition/observer.ts';
import { PartitionSet } from '../partition/partition-set.ts';
import type { Policies } from '../policy/policy.ts';
import type { PromiseTerms } from '../policy/terms.ts';
import type { Peers } from '../ports/ports.ts';
import { PromiseKeeper } from '../promise/keeper.ts';
import type { HighWaterMarks } from '../recovery/high-water-marks.ts';
import { RuleChanges } from '../recovery/rule-changes.ts';
import { TakeOver } from '../recovery/take-over.ts';
import { Coordinator } from '../reservation/coordinator.ts';
import { Participant } from '../reservation/participant.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';
import { SnapshotRounds } from '../snapshot/scheduler.ts';
import type { SnapshotStore } from '../snapshot/snapshotter.ts';

export interface EngineSettings {
  readonly partitions: number;
  /** Horizon to record if the streams have none yet. null turns it off, undefined takes the default. A recorded horizon always wins. */
  readonly horizonMs: number | null | undefined;
  /** What a unit may say, to record if the streams have nothing yet. A recorded list always wins. */
  readonly pieces?: readonly string[] | undefined;
  readonly leaseTtlMs: number;
  readonly snapshotIntervalMs: number;
  readonly reservationMemoryMs: number;
  /** Page encoding per turn of the event loop, in milliseconds. A simulation sets this and `itemsPerPage` low. */
  readonly snapshotTurnMs?: number;
  readonly itemsPerPage?: number;
}

/** Events of the engine, for metrics and logs. */
export interface EngineEvents extends Omit<IntakeEvents, 'inDoubt'> {
  readonly expired: () => void;
  readonly journaled: (decisions: number, seconds: number) => void;
  /** Called with each record of this node that is stored, before its decisions are folded. */
  readonly recorded?: (seq: number, n: number, decisions: readonly { readonly decision: Decision }[]) => void;
  readonly snapshot: (seconds: number) => void;
  readonly recovered: (seconds: number, partitions: number) => void;
  readonly followerRestarted: (stream: FactStream, why: string) => void;
  readonly breach: (what: string) => void;
  readonly note: (level: 'info' | 'warn' | 'error', message: string, detail: Record<string, unknown>) => void;
  /** The engine cannot go on, so the process should end. */
  readonly failed: (why: string) => void;
}

export interface EngineDeps {
  readonly broker: Broker;
  readonly store: SnapshotStore;
  readonly baselines: Baselines;
  readonly highWaterMarks: HighWaterMarks;
  readonly writers: Writers;
  readonly clock: Clock;
  readonly ownership: Ownership;
  readonly rules: Rules;
  readonly rulesList: RulesList;
  readonly peers: Peers;
  readonly writer: string;
  readonly created: Readonly<Record<string, string>>;
  readonly settings: EngineSettings;
  readonly terms: PromiseTerms;
  readonly events: EngineEvents;
  readonly observer?: MakeObserver | undefined;
  /** What is in force here. Without it, there are no policies. */
  readonly policies?: PolicySource | undefined;
  /** One sentence for each stream that has no room left. */
  readonly storage?: { readonly reasons: readonly string[] } | undefined;
}

/** Follows the policies. The engine starts it before it takes a lease, and ends it last. */
export interface PolicySource extends Followed {
  readonly policies: Policies;
  /** Resolves when all that is set is in force here. */
  start(): Promise<void>;
  stop(): void;
}

export type EngineParts = ReturnType<typeof engineParts>;

/** @param signal the signal that is aborted when the node ends */
export function engineParts(deps: EngineDeps, signal: AbortSignal) {
  const { clock, events, settings, rules, ownership, observer } = deps;
  const { note } = events;
  const count = settings.partitions;
  const partitions = new PartitionSet({ clock, note, terms: deps.terms });
  const factIds = new FactIds();
  partitions.observe({ dropped: (number) => factIds.drop(number) });
  const inDoubt = (number: number, what: string, error: unknown) => partitions.doubt(number, what, error);
  const intaken = intakeParts(deps, { partitions, factIds, inDoubt }, signal);
  const { intake, followers } = intaken;
  const journal = new Journal(deps, deps.writer, {
    fenced: (parts) => partitions.fenced(parts),
    stopped: events.failed,
    stored: (seq, n, decisions, seconds) => {
      partitions.journaled(seq);
      events.recorded?.(seq, n, decisions);
      events.journaled(decisions.length, seconds);
    },
  });
  const progress = new Progress({ ...deps, journal, followers, partitions, note });
  const { expired } = events;
  const { reservationMemoryMs } = settings;
  const fulfilledMemoryMs = () =>
    reservationMemories({ reservationMemoryMs, horizonMs: rules.newest.horizonMs ?? Number.POSITIVE_INFINITY })
      .fulfilled;
  const participant = new Participant({ partitions, count, clock, log: journal, inDoubt });
  const coordinator = new Coordinator(
    { ...deps, partitions, observed: partitions, count, expired, fulfilledMemoryMs, lease: ownership },
    participant,
  );
  const promises = new PromiseKeeper({ clock, partitions, store: (decision) => participant.store(decision) });
  const expiry = new Expiry(clock, partitions, fulfilledMemoryMs, (part, again) => coordinator.expire(part, again));
  const snapshots = new SnapshotRounds({
    ...deps,
    factIds,
    partitions,
    count,
    journal,
    reservationMemoryMs,
    turnMs: settings.snapshotTurnMs,
    lag: (stream) => followers.lag(stream),
    taken: events.snapshot,
    lost: (partition) => note('warn', 'Redis has lost the snapshot before; it is written again whole', { partition }),
  });
  const ruleChanges = new RuleChanges({ clock, rules, rulesList: deps.rulesList, partitions, ownership, note });
  const { recovered } = events;
  const { itemsPerPage } = settings;
  const held = { factIds, partitions, journal, intake, followers, snapshots, ruleChanges };
  const takeOver = new TakeOver({ ...deps, ...held, count, observer, itemsPerPage, signal, recovered, note });
  return { ...held, parking: intaken.parking, progress, coordinator, expiry, promises, takeOver };
}

interface Kept {
  readonly partitions: PartitionSet;
  readonly factIds: FactIds;
  readonly inDoubt: IntakeEvents['inDoubt'];
}

/** Builds the parts that take facts in. */
function intakeParts(deps: EngineDeps, { partitions, factIds, inDoubt }: Kept, signal: AbortSignal) {
  const { broker, clock, events, rules, writers } = deps;
  const count = deps.settings.partitions;
  const parking = new FactParking({ broker, clock, signal, note: events.note });
  const park = (parked: Parameters<FactParking['park']>[0]) => parking.park(parked);
  const stored = { marks: new ParkMarks(), partitions: count };
  const intake = new Intake(clock, partitions, factIds, park, { ...events, inDoubt }, rules, stored);
  const restarted = events.followerRestarted;
  const judgedLost = (stream: FactStream, from: number, until: number) =>
    writers.latest.skips.lost(stream, from, until);
  const followers = new Followers({ broker, clock, intake, partitions, count, restarted, judgedLost });
  return { parking, intake, followers };
}
