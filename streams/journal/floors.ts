/**
 * Floors: the last sequence of each stream that may have been trimmed. A message at or below its stream's floor is covered only by a
 * baseline.
 *
 * Invariants:
 *  TR1 Floors are announced in JOURNAL's metadata before anything is removed. A reader that reads the floors after the streams therefore
 *      knows whether messages may have been missing.
 *  TR2 Floors only grow.
 *  TR3 The last record of every writer stays in JOURNAL, however old, because fences and late appends are checked against it.
 */
import { FACT_STREAM_NAMES, JOURNAL_STREAM, TRIMMED_METADATA } from '../../config/topology.ts';
import type { Broker, StreamFacts } from '../broker.ts';
import { changeMetadata, type MetadataDeps } from './metadata.ts';

/** Last sequence of each stream that may be gone; 0 if none is. */
export type Floors = Readonly<Record<string, number>>;

/** @param streams the server's facts by stream. A missing stream has only its announced floor */
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

/** Announces how far the streams will be trimmed, before they are (TR1, TR2). */
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
