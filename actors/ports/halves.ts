/**
 * Many things asked of another node at once: what is too large for one message, or its answer for what an answer may be, is asked for in
 * halves, until a single thing is too large. So of n things at most 2n − 1 requests become, and all but the last too-large ones are cheap.
 */
import { Refusal } from './refusal.ts';

/** The answers in the order of the things. Rejects with the first Refusal that is no too-large one, or is one for a single thing. */
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
