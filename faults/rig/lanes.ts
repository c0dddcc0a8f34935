/** Trials side by side: most of a trial is waiting for processes to start, so two cores do several at once. */

export async function inLanes(
  lanes: number,
  trials: number,
  one: (trial: number, lane: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(lanes, trials) }, async (_, lane) => {
      while (next < trials) await one(next++, lane);
    }),
  );
}
