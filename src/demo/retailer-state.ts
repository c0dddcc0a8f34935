/**
 * Where the demo retailer is, in a small file, so that a second `up` goes on where the first stopped.
 *
 *  DS1 What is about to be sent is written down first, with the anchor that its stamps follow from: after a crash the very
 *     same facts are sent again and count as duplicates.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

const whole = z.int().min(0);
const stateSchema = z.object({
  /** Of the script: a place in another script is no place in this one. */
  version: z.literal(2),
  /** Begins the ids of everything this retailer sends; new when the file is. */
  series: z.string().min(1).max(32),
  /** Which time the month is played, from 1. */
  run: z.int().min(1),
  /** The fact of the script that was played at this wall time, from which the stamps of later ones follow. */
  anchor: z.object({ index: whole, ms: z.number() }),
  /** Facts of the script before this are stored. */
  done: whole,
  /** Facts of the script before this may have been sent. */
  intended: whole,
});
export type RetailerState = z.output<typeof stateSchema>;

export function freshState(nowMs: number): RetailerState {
  const series = Math.floor(nowMs).toString(36);
  return { version: 2, series, run: 1, anchor: { index: 0, ms: nowMs }, done: 0, intended: 0 };
}

/** The state in the file, or undefined if there is none that can be read. */
export async function loadState(path: string): Promise<RetailerState | undefined> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Resolves when the state is on disk; the file is the old or the new one, never half of it. */
export async function saveState(path: string, state: RetailerState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.new`;
  const file = await open(beside, 'w');
  try {
    await file.writeFile(JSON.stringify(state));
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}
