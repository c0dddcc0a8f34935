/** Where a stored fact came from, as one word: `STREAM.seq`, or `STREAM.seq.place` in a bundle. It identifies the fact for ever (BU1). Only this file reads the word; all others pass it on. */
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';

export interface Source {
  readonly stream: FactStream;
  readonly seq: number;
  /** Index in the bundle; undefined for a message of its own. */
  readonly place: number | undefined;
}

export function factSource(stream: string, seq: number, place: number | undefined): string {
  // mutant: place-not-in-source
  return place === undefined ? `${stream}.${seq}` : `${stream}.${seq}.${place}`;
}

const FORM = new RegExp(`^(${FACT_STREAM_NAMES.join('|')})\\.([1-9]\\d{0,15})(?:\\.(\\d{1,5}))?$`);

/** Undefined for any other word, such as `http.<hash>` of a fact that was never stored. */
export function sourceOf(word: string): Source | undefined {
  const match = FORM.exec(word);
  if (match === null) return undefined;
  const [, stream, seq, place] = match;
  return { stream: stream as FactStream, seq: Number(seq), place: place === undefined ? undefined : Number(place) };
}
