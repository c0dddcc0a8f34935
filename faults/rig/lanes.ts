/** Trials side by side: most of a trial is waiting for processes to start, so two cores do several at once. */

/** Once one has failed no more are begun, and those under way come to their end before it rejects: nothing is undone under them. */
export async function inLanes(
  lanes: number,
  trials: number,
  one: (trial: number, lane: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const ended = await Promise.allSettled(
    Array.from({ length: Math.min(lanes, trials) }, async (_, lane) => {
      try {
        while (next < trials) await one(next++, lane);
      } catch (error) {
        next = trials;
        throw error;
      }
    }),
  );
  for (const each of ended) if (each.status === 'rejected') throw each.reason as Error;
}
