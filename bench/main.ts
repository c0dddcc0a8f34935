/** The benchmark suite. One run measures every figure and compares it with its limit and its peers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { packageRoot } from '../src/process/package-root.ts';
import { RedisSnapshots } from '../src/redis/snapshot-store.ts';
import { BenchContext } from './context.ts';
import type { Figure } from './figure.ts';
import { factsFigure } from './figures/facts.ts';
import { ingressFigures } from './figures/ingress.ts';
import { liveFigures } from './figures/live.ts';
import { machineFigure, memoryFigures } from './figures/machine.ts';
import { RESERVATION_FIGURES, reservationFigures } from './figures/reservations.ts';
import { restartFigures } from './figures/restart.ts';
import { loadNow, markdown, type Report } from './report.ts';

const NAMES = [...RESERVATION_FIGURES, 'facts', 'ingress', 'machine', 'memory', 'restart', 'live'] as const;
const DEFAULT_SECONDS = 6;
/** What most changes move, so that a change is compared with the state before it in a minute or two. */
const QUICK = { figures: ['hot', 'http', 'atp', 'facts', 'ingress'], seconds: 2 } as const;
const HELP = `npm run bench -- [--quick] [--only NAME]… [--seconds N] [--json FILE] [--cpu-prof]

  --quick       only ${QUICK.figures.join(', ')}, for ${QUICK.seconds} seconds each
  --only NAME   one of ${NAMES.join(', ')}; may be repeated
  --seconds N   measured seconds of each side of a figure under load (${DEFAULT_SECONDS})
  --json FILE   write the result as JSON
  --cpu-prof    profile the node under test, and print where its time went

A run of everything also writes bench/results/latest.json and latest.md.`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    json: { type: 'string' },
    'cpu-prof': { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

if (values.help === true) console.log(HELP);
else process.exitCode = await main();

async function main(): Promise<number> {
  const quick = values.quick === true ? QUICK : undefined;
  const seconds = Number(values.seconds ?? quick?.seconds ?? DEFAULT_SECONDS);
  const unknown = values.only?.find((name) => !(NAMES as readonly string[]).includes(name));
  if (unknown !== undefined || !(seconds > 0)) {
    console.error(unknown === undefined ? '--seconds must be above 0' : `no figure is named ${unknown}`);
    console.error(HELP);
    return 2;
  }
  const wanted = new Set<string>(values.only ?? quick?.figures ?? NAMES);
  const folder = join(packageRoot(), 'bench', 'results');
  const before = loadNow();
  const context = new BenchContext(seconds, values['cpu-prof'] === true ? join(folder, 'profiles') : undefined);
  const figures: Figure[] = [];
  const failures: string[] = [];
  const began = performance.now();
  const measure = async (name: string, work: () => Promise<Figure | Figure[]>) => {
    console.log(`… ${name}`);
    try {
      figures.push(...[await work()].flat());
    } catch (error) {
      failures.push(`${name}: ${(error as Error).stack}`);
      console.error(`${name} failed: ${(error as Error).stack}`);
    }
  };
  try {
    await versions(context);
    if (RESERVATION_FIGURES.some((name) => wanted.has(name)))
      await measure('reservations', () => reservationFigures(context, wanted));
    if (wanted.has('facts')) await measure('facts', () => factsFigure(context));
    if (wanted.has('ingress')) await measure('ingress', () => ingressFigures(context));
    if (wanted.has('machine')) await measure('machine', () => machineFigure(context));
    if (wanted.has('memory')) await measure('memory', memoryFigures);
    if (wanted.has('live')) await measure('live', () => liveFigures(context));
    if (wanted.has('restart')) await measure('restart', () => restartFigures(context));
  } finally {
    await context.servers.end();
  }
  const report: Report = {
    date: new Date().toISOString(),
    machine: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    servers: Object.fromEntries(context.versions),
    load: { before, after: loadNow() },
    secondsPerFigure: seconds,
    figures,
  };
  const text = markdown(report);
  console.log(`\n${text}`);
  console.log(`took ${((performance.now() - began) / 1000).toFixed(0)} s`);
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  if (values.json !== undefined) {
    mkdirSync(dirname(values.json), { recursive: true });
    writeFileSync(values.json, json);
  }
  if (wanted.size === NAMES.length && failures.length === 0) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'latest.json'), json);
    writeFileSync(join(folder, 'latest.md'), text);
  }
  return failures.length === 0 ? 0 : 1;
}

async function versions(context: BenchContext): Promise<void> {
  const [nats, redis] = await Promise.all([
    context.servers.nats('nats-version'),
    context.servers.redis('redis-version'),
  ]);
  const nc = await connect({ servers: nats.url });
  context.versions.set('nats-server', nc.info?.version ?? '');
  await nc.close();
  const store = await RedisSnapshots.open(redis.url, () => undefined);
  context.versions.set('redis-server', await store.version());
  store.close();
  await Promise.all([nats.stop(), redis.stop()]);
}
