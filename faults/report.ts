/** The result of a run for machines and people: the machine, the faults injected and whether everything held. */
import type { Result } from './perform.ts';

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly servers: Readonly<Record<string, string>>;
  readonly results: readonly Result[];
}

export function markdown(report: Report): string {
  const servers = Object.entries(report.servers).map(([name, version]) => `${name} ${version}`);
  const rows = report.results.map((each) => [
    each.name,
    String(each.trials),
    each.verdict,
    each.reason ??
      Object.entries(each.figures)
        .map(([what, value]) => `${what} ${value}`)
        .join(', '),
    `${each.seconds} s`,
  ]);
  const broken = report.results.flatMap((each) => each.broken.map((what) => `- ${each.name}: ${what}`));
  return [
    `# Faults, ${report.date.slice(0, 16).replace('T', ' ')} UTC`,
    '',
    `${report.machine}, ${report.cores} cores, ${report.memoryGib} GiB; Linux ${report.kernel}; Node.js ${report.node}; ${servers.join(', ')}.`,
    '',
    ...table([['scenario', 'trials', '', 'figures', 'took'], ...rows]),
    '',
    ...(broken.length === 0 ? [] : ['What did not hold:', '', ...broken, '']),
  ].join('\n');
}

function table(rows: readonly string[][]): string[] {
  const widths = (rows[0] as string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return rows.flatMap((row, i) => (i === 0 ? [line(row), rule] : [line(row)]));
}
