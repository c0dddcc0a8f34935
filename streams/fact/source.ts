/** Where a stored fact came from, as one word: `STREAM.seq`. Only this file reads the word; all others pass it on. */
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { at } from '../assert.ts';

export interface Source {
  readonly stream: FactStream;
  readonly seq: number;
}

const FORM = new RegExp(`^(${FACT_STREAM_NAMES.join('|')})\\.([1-9]\\d{0,15})$`);

/** Undefined for any other word, such as `http.<hash>` of a fact that was never stored. */
export function sourceOf(word: string): Source | undefined {
  const match = FORM.exec(word);
  return match === null ? undefined : { stream: at(match, 1) as FactStream, seq: Number(match[2]) };
}
