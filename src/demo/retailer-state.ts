/**
 * The demo retailer's place in its script, in a small file, so that a second `up` continues where the first stopped.
 *
 *  DS1 The place up to which facts may be sent is stored before they are sent, with the anchor from which their stamps
 *     follow. After a crash the very same facts are sent again and count as duplicates.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

const whole = z.int().min(0);
const stateSchema = z.object({
  /** Version of the script, because a place in one script means nothing in another. */
  version: z.literal(2),
  /** Prefix of the ids of everything this retailer sends; a new file gets a new one. */
  series: z.string().min(1).max(32),
  /** How many times the month has begun, from 1. */
  run: z.int().min(1),
  /** The fact of the script that was played at this wall time. The stamps of later facts follow from it. */
  anchor: z.object({ index: whole, ms: z.number() }),
  /** All facts of the script before this place are stored. */
  done: whole,
  /** Facts of the script before this place may have been sent. */
  intended: whole,
});
export type RetailerState = z.output<typeof stateSchema>;

export function freshState(nowMs: number): RetailerState {
  const series = Math.floor(nowMs).toString(36);
  return { version: 2, series, run: 1, anchor: { index: 0, ms: nowMs }, done: 0, intended: 0 };
}

/** Returns the state in the file, or undefined if there is none that can be read. */
export async function loadState(path: string): Promise<RetailerState | undefined> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Resolves when the state is on disk. The file is the old or the new one, never a part of it. */
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
