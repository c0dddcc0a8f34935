/** Command line of the fault suite. It performs the chosen scenarios one after the other and writes the results. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { endNodes } from '../harness/processes/node-process.ts';
import { packageRoot } from '../src/process/package-root.ts';
import { RedisSnapshots } from '../src/redis/snapshot-store.ts';
import { NatsBroker } from '../streams/nats/broker.ts';
import { CATALOGUE } from './catalogue.ts';
import { ATTACKS } from './hostile/attacks.ts';
import { perform, type Result } from './perform.ts';
import { markdown, type Report } from './report.ts';
import { endRigs, Rig } from './rig/rig.ts';

const HELP = `npm run faults -- [--list] [--only NAME]… [--trials N] [--minutes M] [--slice]

  --list        names the scenarios and ends
  --only NAME   performs this one; may be repeated; results of the others are kept
  --trials N    injects so often instead of what each scenario has for a whole run
  --first N     number of the first trial (0), of scenarios that draw each one by its number
  --minutes M   length of the soak (60) and of hostile (10)
  --attacks A,B the attacks that hostile makes; all if left out
  --slice       the few trials that npm test runs

Writes faults/results/latest.json and latest.md. Exit code 1 if anything did not hold.`;

const { values } = parseArgs({
  options: {
    list: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    trials: { type: 'string' },
    first: { type: 'string' },
    minutes: { type: 'string' },
    attacks: { type: 'string' },
    slice: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

if (values.help === true) console.log(HELP);
else if (values.list === true)
  for (const { name, trials, injects, holds } of CATALOGUE) console.log(`${name} (${trials}): ${injects}; ${holds}`);
else process.exitCode = await main();

async function main(): Promise<number> {
  const unknown = values.only?.find((name) => !CATALOGUE.some((each) => each.name === name));
  const trials = Number(values.trials ?? 1);
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const attacks = (values.attacks ?? '').split(',').filter((name) => name !== '');
  const noAttack = attacks.find((name) => !ATTACKS.some((each) => each.name === name));
  const wrong =
    unknown !== undefined
      ? `no scenario is named ${unknown}`
      : noAttack !== undefined
        ? `no attack is named ${noAttack}; they are ${ATTACKS.map(({ name }) => name).join(', ')}`
        : !(trials > 0) || !(minutes === undefined || minutes > 0)
          ? '--trials and --minutes must be above 0'
          : undefined;
  if (wrong !== undefined) {
    console.error(wrong);
    console.error(HELP);
    return 2;
  }
  process.once('exit', endNodes);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void endRigs().finally(() => process.exit(1)));
  const servers = await versions();
  const results: Result[] = [];
  for (const scenario of CATALOGUE) {
    if (values.only !== undefined && !values.only.includes(scenario.name)) continue;
    console.log(`… ${scenario.name}`);
    const result = await perform(scenario, {
      trials: values.slice === true ? scenario.slice : values.trials === undefined ? undefined : trials,
      first: Number(values.first ?? 0),
      minutes: minutes ?? scenario.minutes ?? 0,
      attacks,
      say: (line) => console.log(`  ${line}`),
    });
    results.push(result);
    console.log(`  ${result.verdict} in ${result.seconds} s${result.reason === undefined ? '' : `: ${result.reason}`}`);
    for (const what of result.broken) console.log(`  ! ${what}`);
    write(report(results, servers));
  }
  console.log(`\n${markdown(report(results, servers))}`);
  return results.some((each) => each.verdict === 'FAILED') ? 1 : 0;
}

function report(results: readonly Result[], servers: Report['servers']): Report {
  return {
    date: new Date().toISOString(),
    machine: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    servers,
    results,
  };
}

/** Writes the results. Scenarios that did not run keep their earlier results. */
function write(now: Report): void {
  const folder = join(packageRoot(), 'faults', 'results');
  const file = join(folder, 'latest.json');
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report).results : [];
  const newest = new Map([...before, ...now.results].map((each) => [each.name, each]));
  const results = CATALOGUE.map(({ name }) => newest.get(name)).filter((each) => each !== undefined);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...now, results }, undefined, 2)}\n`);
  writeFileSync(join(folder, 'latest.md'), markdown({ ...now, results }));
}

async function versions(): Promise<Record<string, string>> {
  const rig = new Rig();
  try {
    const { nats, redis } = await rig.servers();
    const broker = await NatsBroker.connect(nats.url, 'faults');
    const store = await RedisSnapshots.open(redis.url, () => undefined);
    const found = { 'nats-server': broker.server.version, 'redis-server': await store.version() };
    store.close();
    await broker.close();
    return found;
  } finally {
    await rig.end();
  }
}
