/**
 * Up to where the streams have been trimmed: what stands at or below a stream's floor is in a baseline only.
 *
 * Invariants:
 *  TR1 Floors are announced (metadata of JOURNAL) before anything is removed, so whoever reads them after having read the streams
 *      knows whether something may have been missing.
 *  TR2 Floors only grow.
 *  TR3 The last record of every writer stays in JOURNAL, however old: it is what a fence and a late append are measured against.
 */
import { FACT_STREAM_NAMES, JOURNAL_STREAM, TRIMMED_METADATA } from '../../config/topology.ts';
import type { Broker, StreamFacts } from '../broker.ts';
import { changeMetadata, type MetadataDeps } from './metadata.ts';

/** Last sequence of each stream that may be gone, 0 if nothing is. */
export type Floors = Readonly<Record<string, number>>;

/** @param streams what the server says of them; a stream that is not among them has no floor */
export function floorsOf(streams: ReadonlyMap<string, StreamFacts>): Floors {
  const announced = announcedIn(streams.get(JOURNAL_STREAM));
  const floors: Record<string, number> = {};
  for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM])
    floors[name] = Math.max(0, (streams.get(name)?.firstSeq ?? 0) - 1, announced[name] ?? 0);
  return floors;
}

export async function readStreams(broker: Pick<Broker, 'stream'>): Promise<Map<string, StreamFacts>> {
  const streams = new Map<string, StreamFacts>();
  for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM]) {
    const stream = await broker.stream(name);
    if (stream !== undefined) streams.set(name, stream);
  }
  return streams;
}

/** Says before trimming up to where the streams will be trimmed (TR1, TR2). */
export async function announceFloors(deps: MetadataDeps, floors: Floors): Promise<void> {
  await changeMetadata(deps, async (metadata) => {
    const before = announcedIn({ metadata });
    const grown: Record<string, number> = { ...before };
    for (const [name, seq] of Object.entries(floors)) grown[name] = Math.max(before[name] ?? 0, seq);
    return { [TRIMMED_METADATA]: JSON.stringify(grown) };
  });
}

function announcedIn(journal: Pick<StreamFacts, 'metadata'> | undefined): Record<string, number> {
  const text = journal?.metadata?.[TRIMMED_METADATA];
  return text === undefined ? {} : (JSON.parse(text) as Record<string, number>);
}
