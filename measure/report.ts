/** The result of a run as one table, with the machine and the date. */
import { table } from '../bench/report.ts';
import type { Score } from './score.ts';

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  readonly months: string;
  readonly from: string;
  readonly seed: number;
  readonly each: number;
  readonly facts: number;
  readonly stockKeys: number;
  readonly days: number;
  readonly seconds: number;
  readonly factsPerSecond: number;
  readonly scores: readonly Score[];
}

/** The table alone, as README.md shows it. */
export function scoreTable({ scores }: Report): string {
  const rows = scores.map((each) => [
    `\`${each.kind}\``,
    String(each.injected),
    share(each.recall),
    share(each.precision),
    each.delayHours === null ? '' : each.delayHours < 0.1 ? 'at once' : `${each.delayHours.toFixed(1)} h`,
    each.untouched === 0 ? '0' : each.untouchedPerKeyDay.toFixed(4),
  ]);
  const all = scores.reduce((sum, each) => sum + each.untouchedPerKeyDay, 0);
  const head = ['kind', 'injected', 'recall', 'precision', 'median delay', 'false alarms per 1,000 stock keys a day'];
  return table([head, ...rows, ['all', '', '', '', '', all.toFixed(4)]]).join('\n');
}

export function markdown(report: Report): string {
  const { date, machine, node, months, from, seed, each, facts, stockKeys, days, seconds } = report;
  return [
    `# Anomalies, ${date.slice(0, 16).replace('T', ' ')} UTC`,
    '',
    `${machine}; Node.js ${node}. Online Retail, ${months}, measured from ${from} (${days} days, ${facts.toLocaleString('en-US')} facts, ${stockKeys.toLocaleString('en-US')} stock keys a day); seed ${seed}, ${each} of each kind; ${seconds.toFixed(1)} s.`,
    '',
    scoreTable(report),
    '',
    ...notes(report),
    '',
  ].join('\n');
}

/** Remarks that do not fit in the table. */
function notes({ scores }: Report): string[] {
  return scores.flatMap(({ kind, wanted, injected, causes, untouched, borneOut, sideEffects }) => [
    ...(injected === wanted
      ? []
      : [`- \`${kind}\`: ${injected} injected of ${wanted}, because there was no place for more.`]),
    ...(causes.length === 0
      ? []
      : [
          `- \`${kind}\`: found by cause: ${causes.map((each) => `${each.cause} ${each.found} of ${each.injected}`).join(', ')}.`,
        ]),
    ...(borneOut === null
      ? []
      : [
          `- \`${kind}\`: of the ${untouched} in the untouched months, ${borneOut} are borne out by what came: the SKU sold at most a quarter of what it had. The strict precision counts them as false.`,
        ]),
    ...(sideEffects === 0
      ? []
      : [`- \`${kind}\`: ${sideEffects} opened on what another injection was done to; they count for neither side.`]),
  ]);
}

function share(value: number | null): string {
  return value === null ? '' : `${(value * 100).toFixed(1)} %`;
}
