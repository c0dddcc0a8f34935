/** All facts of one run of the demo's month. */
import { DEMO } from '../../../config/demo/demo.ts';
import type { Month } from '../../../src/demo/month.ts';
import { script } from '../../../src/demo/plan.ts';
import type { SentFact } from '../../../src/replay/entry.ts';

export async function scripted(month: Month, run: number, prefix: string): Promise<SentFact[]> {
  const facts: SentFact[] = [];
  for await (const fact of script(month, DEMO, run, prefix)) facts.push(fact);
  return facts;
}
