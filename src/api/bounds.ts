/** Bounds of a request that are checked before its schema, because the schema would spend time on every element. */
import { Refusal } from '../../actors/ports/refusal.ts';

/** Refuses a request that names too many locations, before the schema spends time on each of them. */
export function refuseLocations(body: unknown, most: number): void {
  const lines = typeof body === 'object' && body !== null && 'lines' in body ? body.lines : undefined;
  if (!Array.isArray(lines)) return;
  let named = 0;
  for (const line of lines as unknown[]) {
    if (typeof line !== 'object' || line === null || !('locations' in line)) continue;
    if (Array.isArray(line.locations)) named += line.locations.length;
  }
  if (named > most)
    throw new Refusal(
      'too-large',
      `the lines name ${named} locations together; at most ${most} are taken: name fewer, or leave locations out`,
    );
}
