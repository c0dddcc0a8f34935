/**
 * Asks another node for many things at once. If the request or its answer is too large for one message, the list is split in halves
 * until each half fits or a single thing is too large. Asking for n things takes at most 2n − 1 requests.
 */
import { Refusal } from './refusal.ts';

/** The answers, in the order of the things. Rejects with the first error other than too-large, or if a single thing is too large. */
export async function inHalves<Thing, Answer>(
  things: readonly Thing[],
  ask: (things: readonly Thing[]) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  try {
    return await ask(things);
  } catch (error) {
    if (!(error instanceof Refusal) || error.kind !== 'too-large' || things.length < 2) throw error;
    const middle = things.length >> 1;
    const first = await inHalves(things.slice(0, middle), ask);
    return [...first, ...(await inHalves(things.slice(middle), ask))];
  }
}
