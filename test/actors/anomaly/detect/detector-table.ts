/**
 * Runs a detector's table. A row is a step, and whether the anomaly kind is open after it. Every table also runs with a restart before each
 * step.
 */
import { expect, it } from 'vitest';
import type { AnomalyKind } from '../../../../streams/contract/anomaly-kinds.ts';
import type { Shop } from './shop.ts';

type Step = (shop: Shop) => unknown;
/** One step, and whether the kind is open after it. */
type Row = readonly [what: string, step: Step, open: boolean];

export function table(kind: AnomalyKind, shop: () => Shop, rows: readonly Row[]): void {
  const name = rows.map(([what, , open]) => `${what}: ${open ? 'open' : 'not'}`).join('; ');
  it.each(['', ' (with a restart before each)'])(`${name}%s`, (restarts) => {
    const given = shop();
    for (const [what, step, open] of rows) {
      if (restarts !== '') given.restart();
      step(given);
      expect(given.look().open(kind).length, what).toBe(open ? 1 : 0);
    }
  });
}
