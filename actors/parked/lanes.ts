/** Does the same for each of many, at most `lanes` at a time. A failure does not end the others. */
export async function inLanes<In, Out>(
  all: readonly In[],
  lanes: number,
  work: (each: In) => Promise<Out>,
): Promise<{ done: Out[]; failed: Map<In, unknown> }> {
  const [done, failed] = [[] as Out[], new Map<In, unknown>()];
  const rest = all.values();
  const lane = async () => {
    for (const each of rest) {
      try {
        done.push(await work(each));
      } catch (error) {
        failed.set(each, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, all.length) }, lane));
  return { done, failed };
}
