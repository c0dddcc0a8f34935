/**
 * Precision and recall of the anomaly detectors. The real months are played twice, once unchanged and once with labelled anomalies of every
 * kind. They run in virtual time through the real reader, the real book and the real observer.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadSettings } from '../config/load-settings.ts';
import { packageRoot } from '../src/process/package-root.ts';
import { ANOMALY_KINDS, type AnomalyKind } from '../streams/contract/anomaly-kinds.ts';
import type { Fact } from '../streams/fact/fact.ts';
import { Chance } from './chance.ts';
import { Injections } from './injections.ts';
import { markdown, type Report, scoreTable } from './report.ts';
import { type Played, play } from './run.ts';
import { Stops, score } from './score.ts';
import { business, DAY, type Event, realFacts, reported } from './world.ts';

/** Kinds that need facts of orders and tasks, which do not exist yet, and those that follow from a rule. */
const LATER: ReadonlySet<AnomalyKind> = new Set([
  'receipt_overdue',
  'receipt_unmatched',
  'pickup_overdue',
  'task_overdue',
  'transfer_over',
  'clock_ahead',
  'parked_facts',
  'reservation_unknown',
  'over_fulfilled',
  'promise_late',
]);
/** The place of the table in README.md. */
const README_TABLE = /(<!-- anomalies: .*? -->)[\s\S]*?(<!-- \/anomalies -->)/;
/** There are few tills, so at most this many are broken or late one after the other. In few months they are fewer, and the report says so. */
const MOST: Partial<Record<AnomalyKind, number>> = { late_facts: 20, device_silent: 20 };

const HELP = `npm run anomalies -- [--months A..B] [--from MONTH] [--seed N] [--each N] [--set name=value,…] [--show KIND]

  --months A..B  months of Online Retail that are played (2010-12..2011-09)
  --from MONTH   injections and false alarms are counted from here on (2011-07); before, the detectors learn
  --each N       injected anomalies of each kind (40)
  --set …        parameters of the detectors that differ from config/anomalies.ts
  --show KIND    print what was opened of this kind without a reason

The data is looked for in HOLDFAST_DATA and ../shared/data. A run with the defaults writes measure/results/latest.md and latest.json, and the README's table.`;

const { values } = parseArgs({
  options: {
    months: { type: 'string', default: '2010-12..2011-09' },
    from: { type: 'string', default: '2011-07' },
    seed: { type: 'string', default: '1' },
    each: { type: 'string', default: '40' },
    set: { type: 'string', default: '' },
    show: { type: 'string' },
    help: { type: 'boolean' },
  },
});

if (values.help === true) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const began = performance.now();
  const parameters = loadSettings({ anomalies: values.set }, {}).anomalies;
  const facts = await realFacts(files());
  const from = Date.parse(`${values.from}-01T00:00:00Z`) * 1000;
  const [seed, each] = [Number(values.seed), Number(values.each)];
  const end = (facts.at(-1) as Fact).at;
  // Leave out the last 22 days, so that every injection has time to take effect.
  const days = [...new Set(facts.filter(({ type }) => type === 'sale').map(({ at }) => Math.floor(at / DAY)))].filter(
    (day) => day * DAY >= from + 2 * DAY && day * DAY < end - 22 * DAY,
  );
  const kinds = ANOMALY_KINDS.filter((kind) => !LATER.has(kind));
  const injections = new Injections(facts, days, new Chance(seed));
  const wanted = (kind: AnomalyKind) => Math.min(each, MOST[kind] ?? each);
  // The kinds that need a till choose first, so that others know which sales a till does not report. Kinds take turns, because one that
  // chose all its tills at once would leave none for the others when there are few days.
  for (const some of [kinds.filter((kind) => kind in MOST), kinds.filter((kind) => !(kind in MOST))])
    for (let i = 0; i < each; i++) for (const kind of some) if (i < wanted(kind)) injections.inject(kind);
  const playing = performance.now();
  const untouched = play(world(facts, seed, undefined), parameters, from);
  const factsPerSecond = Math.round(((untouched.facts + untouched.decisions) / (performance.now() - playing)) * 1000);
  const injected = play(world(facts, seed, injections), parameters, from);
  const stops = new Stops(facts);
  const scores = kinds.map((kind) => score(kind, wanted(kind), injections.labels, injected, untouched, stops));
  const report: Report = {
    date: new Date().toISOString(),
    machine: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
    node: process.versions.node,
    months: values.months,
    from: values.from,
    seed,
    each,
    facts: untouched.facts,
    stockKeys: Math.round(untouched.keyDays / untouched.days),
    days: untouched.days,
    seconds: (performance.now() - began) / 1000,
    factsPerSecond,
    scores,
  };
  console.log(markdown(report));
  show('untouched', untouched);
  show('injected', injected);
  if (process.argv.length > 2) return;
  const folder = join(packageRoot(), 'measure', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(join(folder, 'latest.md'), markdown(report));
  const readme = join(packageRoot(), 'README.md');
  const shown = `$1\n\n${scoreTable(report)}\n\n$2`;
  writeFileSync(readme, readFileSync(readme, 'utf8').replace(README_TABLE, shown));
}

function world(facts: readonly Fact[], seed: number, injections: Injections | undefined): Event[] {
  const kept = injections === undefined ? facts : facts.filter((fact) => !injections.removed.has(fact));
  const events = reported(kept, new Chance(seed + 1)).map((event) => {
    const fact = event.make as Fact;
    const at = injections?.delayed.get(fact) ?? event.at;
    return { at, make: injections?.replaced.get(fact) ?? fact };
  });
  // Derived from all facts, so that the other business is the same in both worlds.
  events.push(...(business(facts, new Chance(seed + 2), injections?.uncounted ?? (() => false)) as typeof events));
  if (injections !== undefined) events.push(...(injections.events as typeof events));
  return events.sort((a, b) => a.at - b.at);
}

function files(): string[] {
  const [first = '', last = ''] = values.months.split('..');
  const folder = [
    process.env.HOLDFAST_DATA,
    join(packageRoot(), '..', 'shared', 'data'),
    join(packageRoot(), '..', '..', 'shared', 'data'),
  ]
    .map((each) => join(each ?? '', 'online-retail'))
    .find((each) => existsSync(each));
  if (folder === undefined) throw new Error('set HOLDFAST_DATA to the folder that holds online-retail');
  const months: string[] = [];
  for (let [year = 0, month = 0] = first.split('-').map(Number); ; month++) {
    if (month > 12) [year, month] = [year + 1, 1];
    const name = `${year}-${String(month).padStart(2, '0')}`;
    months.push(join(folder, `online-retail-${name}.csv.gz`));
    if (name >= last) return months;
  }
}

function show(world: string, { openings }: Played): void {
  for (const { at, kind, sku, device, says } of openings) {
    if (kind === values.show) console.log(world, new Date(at / 1000).toISOString(), sku ?? device ?? '', says);
  }
}
