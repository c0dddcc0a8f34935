/** The README's table of anomalies is the one that the last measurement wrote, and that measurement used the current detectors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Report, scoreTable } from '../../measure/report.ts';
import { packageRoot } from '../../src/process/package-root.ts';
import { ANOMALY_KINDS } from '../../streams/contract/anomaly-kinds.ts';

const read = (...path: string[]) => readFileSync(join(packageRoot(), ...path), 'utf8');
const report = JSON.parse(read('measure', 'results', 'latest.json')) as Report;

it('shows the table of the last measurement', () => {
  expect(read('measure', 'results', 'latest.md')).toContain(scoreTable(report));
  expect(read('README.md')).toContain(scoreTable(report));
});

it('has measured every kind that has facts and is judged by a model', () => {
  // The others follow from rules, or need facts that do not exist yet.
  const later = [
    'receipt_overdue',
    'receipt_unmatched',
    'parked_facts',
    'pickup_overdue',
    'task_overdue',
    'transfer_over',
    'clock_ahead',
    'reservation_unknown',
    'over_fulfilled',
    'promise_late',
  ];
  expect(report.scores.map(({ kind }) => kind)).toEqual(ANOMALY_KINDS.filter((kind) => !later.includes(kind)));
  for (const { injected, recall, precision } of report.scores) {
    expect(injected).toBeGreaterThanOrEqual(10);
    expect(recall).toBeGreaterThan(0.5);
    expect(precision).toBeGreaterThan(0);
  }
});
