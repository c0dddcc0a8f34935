/** The result of a run as one table, with the machine it was measured on. */
import { loadavg } from 'node:os';
import type { Comparison, Figure } from './figure.ts';

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly servers: Readonly<Record<string, string>>;
  readonly load: { readonly before: number; readonly after: number };
  readonly secondsPerFigure: number;
  readonly figures: readonly Figure[];
}

export function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

/** The table in Markdown, which is readable on a terminal too. */
export function markdown(report: Report): string {
  const servers = Object.entries(report.servers).map(([name, version]) => `${name} ${version}`);
  const head = [
    `# Bench, ${report.date.slice(0, 16).replace('T', ' ')} UTC`,
    '',
    `${report.machine}, ${report.cores} cores, ${report.memoryGib} GiB; Node.js ${report.node}; ${servers.join(', ')};`,
    `load average ${report.load.before} before, ${report.load.after} after; all on loopback of one machine, NATS with sync always.`,
    '',
  ];
  const rows = report.figures.flatMap(rowsOf);
  const notes = report.figures.flatMap((figure) =>
    figure.notes.length === 0 ? [] : [`- ${figure.name}: ${figure.notes.join('; ')}`],
  );
  return [
    ...head,
    ...table([['figure', 'measured', 'beside', 'its value', 'ratio', 'goal', ''], ...rows]),
    '',
    ...notes,
    '',
  ].join('\n');
}

function rowsOf(figure: Figure): string[][] {
  const value = show(figure.value, figure.unit);
  if (figure.comparisons.length === 0) return [[figure.title, value, '', '', '', '', '']];
  return figure.comparisons.map((each, i) => [
    i === 0 ? figure.title : '',
    i === 0 ? value : '',
    ...cells(each, figure.unit),
  ]);
}

function cells({ with: what, value, ratio, goal, met }: Comparison, unit: string): string[] {
  return [
    what === 'limit' ? '' : what,
    value === undefined ? '' : show(value, unit),
    ratio === undefined ? '' : ratio.toFixed(2),
    goal ?? '',
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ];
}

function show(value: number, unit: string): string {
  const digits = value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
  return `${digits} ${unit}`;
}

export function table(rows: readonly string[][]): string[] {
  const widths = (rows[0] as string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return rows.flatMap((row, i) => (i === 0 ? [line(row), rule] : [line(row)]));
}
