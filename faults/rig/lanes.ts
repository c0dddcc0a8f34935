/** Runs trials in parallel. A trial mostly waits for processes to start, so two cores can run several at once. */

/** After a failure no trial starts. Running trials finish before the promise rejects, so nothing is cleaned up under them. */
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
