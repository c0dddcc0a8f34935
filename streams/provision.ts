/**
 * Makes the streams, or verifies those that are there. Never narrows one silently: what differs in a way that could lose or
 * misplace a fact stops the start and says what differs.
 *
 * Invariant P1: the partition count of stored subjects never changes; it stands in the streams' metadata.
 */
import {
  DUPLICATE_WINDOW_MS,
  FACT_STREAM_NAMES,
  FACT_STREAMS,
  JOURNAL_STREAM,
  PARKED_STREAM,
  PARTITIONS_METADATA,
} from '../config/topology.ts';
import type { NatsBroker, NatsStreamFacts } from './connection.ts';

export class ProvisionError extends Error {
  override readonly name = 'ProvisionError';
}

export interface Provisioned {
  /** Identity of each stream: when it was made. */
  readonly created: Readonly<Record<string, string>>;
}

type Wanted = Parameters<NatsBroker['addStream']>[0];

/** Makes what is missing and verifies the rest. Several nodes may do so at once. */
export async function provision(
  broker: NatsBroker,
  options: { partitions: number; replicas: number },
): Promise<Provisioned> {
  const created: Record<string, string> = {};
  for (const wanted of wantedStreams(options)) {
    let found = await broker.stream(wanted.name);
    if (found === undefined) {
      await broker.addStream(wanted);
      found = await broker.stream(wanted.name);
    }
    if (found === undefined) throw new ProvisionError(`stream ${wanted.name} was made but is not there`);
    await reconcile(broker, wanted, found);
    created[wanted.name] = found.created;
  }
  return { created };
}

/** The streams as they should be. */
export function wantedStreams(options: { partitions: number; replicas: number }): Wanted[] {
  const base = {
    storage: 'file',
    num_replicas: options.replicas,
    retention: 'limits',
    // A full stream refuses and devices keep their facts; discarding the old would lose them without a word.
    discard: 'new',
    duplicate_window: DUPLICATE_WINDOW_MS * 1e6,
    allow_direct: false,
    metadata: { [PARTITIONS_METADATA]: String(options.partitions) },
  } as const;
  const facts = FACT_STREAM_NAMES.map((name) => ({
    ...base,
    name,
    subjects: FACT_STREAMS[name].map((type) => `${type}.*.*`),
    // Same shape as the subjects, or messages would be stored untransformed. The check of permissions stays on what was published.
    subject_transform: {
      src: '*.*.*',
      dest: `{{wildcard(1)}}.{{partition(${options.partitions},3)}}.{{wildcard(2)}}.{{wildcard(3)}}`,
    },
  }));
  // No deny_purge: the server never takes it back (error 10052), so a journal with it could never be trimmed. `holdfast trim` alone
  // purges, by subject and below a sequence.
  const kept = { ...base, deny_delete: true };
  return [
    ...facts,
    { ...kept, name: JOURNAL_STREAM, subjects: ['journal.*'] },
    { ...base, name: PARKED_STREAM, subjects: ['parked.>'] },
  ] as Wanted[];
}

async function reconcile(broker: NatsBroker, wanted: Wanted, found: NatsStreamFacts): Promise<void> {
  const differs = (what: string, is: unknown, should: unknown, remedy: string) =>
    new ProvisionError(
      `stream ${wanted.name}: ${what} is ${JSON.stringify(is)}, but must be ${JSON.stringify(should)}; ${remedy}`,
    );
  const partitions = found.config.metadata?.[PARTITIONS_METADATA];
  const wantedPartitions = wanted.metadata?.[PARTITIONS_METADATA];
  if (partitions !== wantedPartitions) {
    throw differs(
      'the partition count',
      partitions,
      wantedPartitions,
      'set HOLDFAST_PARTITIONS to what the streams were made with',
    );
  }
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
  if (missing.length > 0)
    await broker.updateStream(wanted.name, { subjects: [...(found.config.subjects ?? []), ...missing] });
}
