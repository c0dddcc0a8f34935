/** `npm run sim`: seeds through the simulated world. */
import { parseArgs } from 'node:util';
import { FAULTS, type FaultName } from './options.ts';
import { runSeed } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '200' },
    faults: { type: 'string' },
    twice: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`npm run sim -- [--seed N] [--from N --seeds COUNT] [--faults ${FAULTS.join(',')}] [--twice]

  --seed N     that seed alone, with what happened at its end
  --seeds N    so many seeds, beginning with --from (1)
  --faults     only these faults, all on; without it each seed draws its own
  --twice      every seed twice: both runs must be the same, event by event`);
} else process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = values.faults?.split(',') as FaultName[] | undefined;
  const one = values.seed !== undefined;
  const from = Number(one ? values.seed : values.from);
  const count = one ? 1 : Number(values.seeds);
  const began = performance.now();
  const sum = { seeds: 0, virtualMs: 0, events: 0, faults: 0, decisions: 0, facts: 0 };
  const failed: number[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const result = await runSeed(seed, chosen);
    sum.seeds += 1;
    for (const name of ['virtualMs', 'events', 'faults', 'decisions', 'facts'] as const) sum[name] += result[name];
    if (values.twice && (await runSeed(seed, chosen)).trace !== result.trace) {
      console.log(`seed ${seed}: two runs differ`);
      failed.push(seed);
    }
    if (one) console.log([result.options, ...result.notes].join('\n'));
    if (result.failure !== undefined) {
      failed.push(seed);
      console.log(`seed ${seed}: ${result.failure}\n  npm run sim -- --seed ${seed}`);
    }
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${sum.seeds} seeds, ${failed.length} failed; ${(sum.virtualMs / 3_600_000).toFixed(1)} simulated hours, ` +
      `${sum.events} events, ${sum.faults} faults, ${sum.decisions} decisions, ${sum.facts} facts in ${seconds.toFixed(0)} s`,
  );
  return failed.length === 0 ? 0 : 1;
}
