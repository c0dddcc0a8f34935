/** Sending that does not give up, because a demo outlives a restart of its node. */
import { type Clock, delay } from '../../streams/clock.ts';
import type { FactsAnswer } from '../../streams/contract/stock.ts';
import type { SentFact } from '../replay/entry.ts';
import type { Send } from '../replay/send.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Resolves with the answer, or with undefined once the signal ends it. Reports a trouble only when it differs from
 * the last one.
 */
export async function sendUntilStored(
  facts: readonly SentFact[],
  send: Send,
  clock: Clock,
  signal: AbortSignal,
  report: (trouble: string) => void,
): Promise<FactsAnswer | undefined> {
  let said = '';
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await send(facts);
    } catch (error) {
      const trouble = error instanceof Error ? error.message : String(error);
      if (trouble !== said) report(trouble);
      said = trouble;
    }
    await delay(clock, pauseMs, signal);
  }
  return undefined;
}
