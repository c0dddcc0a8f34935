/**
 * Creates the streams, or verifies those that exist. It never narrows a stream silently. A difference that could lose or misplace a fact
 * stops the start, with an error that names the difference.
 *
 * Invariants:
 *  PN1 The partition count of stored subjects never changes. It is kept in the streams' metadata.
 *  PN2 No stream is ever bounded below what it holds. Room is reserved for JOURNAL first, then for PARKED, so facts are refused before
 *     anything that was acknowledged is in danger.
 *  PN3 A server without enough room never stops a start. Bounds are halved until the server has room for twice their sum. If no bounds fit,
 *     the streams stay as they are. (The server measures its room again at every start, and accepts no change to any stream while more is
 *     reserved than it has.)
 */

import { bundleBytes, LIMITS } from '../../config/limits.ts';
import {
  BUNDLE_LANES,
  DUPLICATE_WINDOW_MS,
  EVENTS_STREAM,
  FACT_STREAM_NAMES,
  FACT_STREAMS,
  JOURNAL_STREAM,
  LANES_METADATA,
  PARKED_STREAM,
  PARTITIONS_METADATA,
} from '../../config/topology.ts';
import { present } from '../assert.ts';
import { BrokerError } from '../broker.ts';
import { factSubjects, factTransform } from '../subjects.ts';
import type { NatsBroker, NatsStreamFacts } from './broker.ts';
import { made } from './errors.ts';
import { provisionEvents } from './events/stream.ts';

export class ProvisionError extends Error {
  override readonly name = 'ProvisionError';
}

export interface Provisioned {
  /** Identity of each stream, which is its time of creation. */
  readonly created: Readonly<Record<string, string>>;
}

type Wanted = Parameters<NatsBroker['addStream']>[0];

/** Most bytes that the streams may hold; undefined for no bound. */
export interface StreamBounds {
  readonly journalMaxBytes?: number | undefined;
  readonly parkedMaxBytes?: number | undefined;
  /** For each stream of facts. */
  readonly factsMaxBytes?: number | undefined;
  readonly eventsMaxBytes?: number | undefined;
  /** How long events are kept, in milliseconds. */
  readonly eventsMaxAge?: number | undefined;
}

/**
 * Creates the missing streams and verifies the others. Several nodes may do so at once.
 * @param alone runs work while no other process changes JOURNAL's configuration (streams/journal/metadata.ts)
 */
export async function provision(
  broker: NatsBroker,
  options: { partitions: number; replicas: number } & StreamBounds,
  note: (message: string, detail: Record<string, unknown>) => void = () => undefined,
  alone: (work: () => Promise<void>) => Promise<void> = (work) => work(),
): Promise<Provisioned> {
  // It is the first, so that in a new installation no fact is stored before it.
  await made(() => provisionEvents(broker, options));
  const created: Record<string, string> = {};
  for (const wanted of wantedStreams({ ...options, maxPayload: broker.server.maxPayload })) {
    const found = await made(() => madeStream(broker, wanted));
    await reconcile(broker, wanted, found);
    created[wanted.name] = found.created;
  }
  const bounds = [
    { name: JOURNAL_STREAM, most: options.journalMaxBytes },
    { name: PARKED_STREAM, most: options.parkedMaxBytes },
    ...FACT_STREAM_NAMES.map((name) => ({ name, most: options.factsMaxBytes })),
    { name: EVENTS_STREAM, most: options.eventsMaxBytes },
  ].filter((bound): bound is Bound => bound.most !== undefined);
  if (bounds.length > 0) await alone(() => bound(broker, bounds, note));
  return { created };
}

async function madeStream(broker: NatsBroker, wanted: Wanted): Promise<NatsStreamFacts> {
  const there = await broker.stream(wanted.name);
  if (there !== undefined) return there;
  await broker.addStream(wanted);
  const found = await broker.stream(wanted.name);
  if (found === undefined) throw new ProvisionError(`stream ${wanted.name} was made but is not there`);
  return found;
}

interface Bound {
  readonly name: string;
  readonly most: number;
}

/** How often bounds are halved before the streams are left as they are. */
const HALVINGS = 12;

/** Sets `max_bytes` of the streams in the given order (PN2, PN3). */
async function bound(
  broker: NatsBroker,
  bounds: readonly Bound[],
  note: (message: string, detail: Record<string, unknown>) => void,
): Promise<void> {
  const found = new Map<string, NatsStreamFacts>();
  for (const { name } of bounds) found.set(name, present(await broker.stream(name)));
  for (let halved = 0; halved <= HALVINGS; halved++) {
    const wanted = bounds.map(({ name, most }) => ({
      name,
      most: fitting(Math.floor(most / 2 ** halved), found.get(name)),
    }));
    const changed = wanted.filter(({ name, most }) => found.get(name)?.maxBytes !== most);
    if (changed.length === 0) return;
    try {
      await refuseWithoutRoom(broker, wanted, found);
      for (const { name, most } of changed) await broker.updateStream(name, { max_bytes: most });
    } catch (error) {
      if (!(error instanceof BrokerError) || error.kind !== 'full') throw error;
      continue;
    }
    if (halved > 0)
      note('the server has less room than the settings would reserve: streams are bounded lower', {
        maxBytes: Object.fromEntries(wanted.map(({ name, most }) => [name, most])),
      });
    return;
  }
  note('the server has no room to reserve for the streams: their bounds stay as they are', {});
}

/**
 * The bound for a stream. A stream that holds 80 % of the wanted bound or more keeps a larger present bound. If it has no bound, it gets at
 * least a quarter more than it holds.
 */
function fitting(most: number, found: NatsStreamFacts | undefined): number {
  const stored = found?.bytes ?? 0;
  return stored < 0.8 * most ? most : Math.max(most, found?.maxBytes ?? Math.ceil(1.25 * stored));
}

/** Briefly raises the first stream's bound until twice the wanted bytes are reserved. Rejects if the server has not enough room. */
async function refuseWithoutRoom(
  broker: NatsBroker,
  wanted: readonly Bound[],
  found: ReadonlyMap<string, NatsStreamFacts>,
): Promise<void> {
  const [first, ...others] = wanted as [Bound, ...Bound[]];
  const total = wanted.reduce((sum, { most }) => sum + most, 0);
  const reserved = others.reduce((sum, { name }) => sum + (found.get(name)?.maxBytes ?? 0), 0);
  await broker.updateStream(first.name, { max_bytes: Math.max(first.most, 2 * total - reserved) });
  await broker.updateStream(first.name, { max_bytes: first.most });
}

/** The configurations that the streams should have. */
export function wantedStreams(options: { partitions: number; replicas: number; maxPayload: number }): Wanted[] {
  const base = {
    storage: 'file',
    num_replicas: options.replicas,
    retention: 'limits',
    // A full stream refuses new facts, and the devices keep them. To discard old facts would lose them silently.
    discard: 'new',
    duplicate_window: DUPLICATE_WINDOW_MS * 1e6,
    allow_direct: false,
    metadata: { [PARTITIONS_METADATA]: String(options.partitions) },
  } as const;
  const facts = FACT_STREAM_NAMES.map((name) => ({
    ...base,
    name,
    subjects: [
      ...FACT_STREAMS[name].map(factSubjects),
      // Only nodes publish here. The subject already has the partition, because the transform matches another shape.
      ...FACT_STREAMS[name].map((type) => `again.*.${type}.*.*`),
      ...FACT_STREAMS[name].map((type) => `bundle.${type}.*`),
    ],
    metadata: { ...base.metadata, [LANES_METADATA]: String(BUNDLE_LANES) },
    // A fact of a device always fits, so that one that is too large can be parked.
    max_msg_size: Math.max(LIMITS.storedFactBytes, bundleBytes(options.maxPayload)),
    // `src` must have the shape of the subjects, or messages are stored untransformed. Permissions apply to the published subject.
    subject_transform: factTransform(FACT_STREAMS[name][0], options.partitions),
  }));
  // No deny_purge, because the server never takes it back (error 10052) and the journal could never be trimmed. Only `holdfast trim`
  // purges, by subject and below a sequence.
  const kept = { ...base, deny_delete: true };
  return [
    ...facts,
    { ...kept, name: JOURNAL_STREAM, subjects: ['journal.*'] },
    { ...base, name: PARKED_STREAM, subjects: ['parked.>', 'mark.>'] },
  ] as Wanted[];
}

async function reconcile(broker: NatsBroker, wanted: Wanted, found: NatsStreamFacts): Promise<void> {
  const differs = (what: string, is: unknown, should: unknown, remedy: string) =>
    new ProvisionError(
      `stream ${wanted.name}: ${what} is ${JSON.stringify(is)}, but must be ${JSON.stringify(should)}; ${remedy}`,
    );
  const partitions = found.config.metadata?.[PARTITIONS_METADATA];
  const wantedPartitions = wanted.metadata?.[PARTITIONS_METADATA];
  // With another count, new facts of a SKU would be stored in another partition (PN1).
  if (partitions !== wantedPartitions) {
    throw differs(
      'the partition count',
      partitions,
      wantedPartitions,
      'set HOLDFAST_PARTITIONS to what the streams were made with',
    );
  }
  const lanes = found.config.metadata?.[LANES_METADATA];
  const wantedLanes = wanted.metadata?.[LANES_METADATA];
  if (lanes !== undefined && lanes !== wantedLanes)
    throw differs('the number of lanes of bundles', lanes, wantedLanes, 'another program made this stream');
  if (found.config.subject_transform?.dest !== wanted.subject_transform?.dest) {
    throw differs(
      'the subject transform',
      found.config.subject_transform,
      wanted.subject_transform,
      'another program made this stream',
    );
  }
  if (
    found.config.discard !== 'new' ||
    (found.config.max_age ?? 0) > 0 ||
    (found.config.retention ?? 'limits') !== 'limits'
  ) {
    throw differs(
      'its retention',
      { discard: found.config.discard, max_age: found.config.max_age, retention: found.config.retention },
      { discard: 'new', max_age: 0, retention: 'limits' },
      'it would drop facts that nothing else holds',
    );
  }
  const missing = (wanted.subjects ?? []).filter((subject) => found.config.subjects?.includes(subject) !== true);
  const size = wanted.max_msg_size ?? -1;
  if (missing.length > 0 || lanes !== wantedLanes || (found.config.max_msg_size ?? -1) !== size)
    await broker.updateStream(wanted.name, {
      subjects: [...(found.config.subjects ?? []), ...missing],
      ...(lanes === wantedLanes ? {} : { metadata: { ...found.config.metadata, ...wanted.metadata } }),
      max_msg_size: size,
    });
}
