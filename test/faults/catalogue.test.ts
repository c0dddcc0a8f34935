/** A short slice of every fault scenario of `npm run faults`; how often and how long each is injected there: faults/. */
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../faults/catalogue.ts';
import { perform } from '../../faults/perform.ts';

/** Length of the soak here: one fault. */
const MINUTES = 0.2;

describe('a slice of each fault scenario', () => {
  it.each(CATALOGUE.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async (_, scenario) => {
      const said: string[] = [];
      const result = await perform(scenario, {
        trials: scenario.slice,
        minutes: MINUTES,
        say: (line) => said.push(line),
      });
      if (result.verdict === 'skipped') {
        console.warn(`${scenario.name} is skipped: ${result.reason}`);
        expect(result.reason).not.toBe('');
        return;
      }
      expect(result.broken, said.join('\n')).toEqual([]);
      expect(result.trials).toBeGreaterThan(0);
    },
    180_000,
  );
});
