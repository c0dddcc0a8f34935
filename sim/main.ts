/** `npm run sim`: runs seeds through the simulated world, or seeded bugs through the simulation. */
import { parseArgs } from 'node:util';
import { mutate } from './mutants/mutate.ts';
import { FAULTS, type FaultName } from './options.ts';
import { type Result, runSeed } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '200' },
    faults: { type: 'string' },
    twice: { type: 'boolean', default: false },
    stop: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    at: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
});

const HELP = `npm run sim -- [--seed N] [--from N --seeds COUNT] [--faults ${FAULTS.join(',')}] [--twice] [--stop]
npm run sim -- --mutants [--only TEXT] [--seeds COUNT] [--at N]

  --seed N     that seed alone, with what happened at its end
  --seeds N    so many seeds, beginning with --from (1)
  --faults     only these faults, all on; without it each seed draws its own
  --twice      every seed twice: both runs must be the same, event by event
  --stop       ends at the first seed that fails
  --mutants    puts each seeded bug into a copy of the program and says after how many seeds it is caught; ends with 1 if
               one is not that is not marked as rare
  --only TEXT  only the seeded bugs whose name contains it
  --at N       so many of them at once`;

if (values.help) console.log(HELP);
else process.exitCode = values.mutants ? await mutants() : await seeds();

async function mutants(): Promise<number> {
  const caught = await mutate(values.only, Number(values.seeds), Number(values.at));
  console.log(`\n| seeded bug | caught after | by |\n| --- | --- | --- |`);
  for (const { name, after, said } of caught)
    console.log(
      `| ${name} | ${after ?? 'not caught'} | ${after === undefined ? '' : said.split(';')[0]?.replaceAll('|', ' ')} |`,
    );
  const missed = caught.filter(({ after, rare }) => after === undefined && !rare);
  const counts = caught.flatMap(({ after }) => after ?? []).sort((a, b) => a - b);
  console.log(
    `${counts.length} of ${caught.length} seeded bugs caught, half of them within ${counts[counts.length >> 1] ?? 0} seeds`,
  );
  return missed.length === 0 ? 0 : 1;
}

async function seeds(): Promise<number> {
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
    if (one) console.log([result.options, ...result.notes].join('\n'));
    const failure = result.failure ?? (values.twice ? await difference(result, chosen) : undefined);
    if (values.stop) console.log(`seed ${seed} done`);
    if (failure === undefined) continue;
    failed.push(seed);
    console.log(`seed ${seed}: ${failure}`);
    if (values.stop) break;
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${sum.seeds} seeds, ${failed.length} failed; ${(sum.virtualMs / 3_600_000).toFixed(1)} simulated hours, ` +
      `${sum.events} events, ${sum.faults} faults, ${sum.decisions} decisions, ${sum.facts} facts in ${seconds.toFixed(0)} s`,
  );
  return failed.length === 0 ? 0 : 1;
}

async function difference(
  { seed, trace }: Result,
  chosen: readonly FaultName[] | undefined,
): Promise<string | undefined> {
  const again = await runSeed(seed, chosen);
  return again.trace === trace ? undefined : `two runs differ: ${trace} and ${again.trace}`;
}
