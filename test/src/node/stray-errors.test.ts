/** Uncaught errors, in a process of its own. The process goes on, unless an error comes from code that folds or decides. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { DECIDING } from '../../../src/node/stray-errors.ts';
import { packageRoot } from '../../../src/process/package-root.ts';

const PROGRAM = `
  import { Metrics } from './dist/src/metrics/metrics.js';
  import { LimitedLog } from './dist/src/process/limited-log.js';
  import { catchStrayErrors } from './dist/src/node/stray-errors.js';
  import { applyFact } from './dist/actors/stock/evolve.js';
  const metrics = new Metrics();
  const lines = [];
  const log = { error: ({ err, times }, message) => lines.push([message, err.message, times]) };
  let abandoned = '';
  catchStrayErrors({ metrics, engine: { abandon: (why) => { abandoned = why; } } }, new LimitedLog(log));
  for (let i = 0; i < 1000; i++) Promise.reject(new Error('nobody waited'));
  setTimeout(() => { throw new Error('of a timer'); });
  setTimeout(() => {
    const before = abandoned;
    Promise.reject(undefined);
    setTimeout(() => applyFact(undefined, {}));
    setTimeout(async () => {
      const text = await metrics.render();
      const counted = [...text.matchAll(/^holdfast_unhandled_errors_total\\{kind="(\\w+)"\\} (\\d+)$/gm)].map(([, kind, n]) => [kind, Number(n)]);
      console.log(JSON.stringify({ before, abandoned, counted, lines }));
    }, 20);
  }, 20);
`;

it('are counted and logged now and then, and end the process only where state is in doubt', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    cwd: packageRoot(),
  });
  const { before, abandoned, counted, lines } = JSON.parse(stdout) as {
    before: string;
    abandoned: string;
    counted: [string, number][];
    lines: [string, string, number][];
  };
  expect(before).toBe('');
  expect(abandoned).toMatch(/^a fault of the program left its state in doubt: /);
  expect(Object.fromEntries(counted)).toEqual({ rejection: 1_001, exception: 2 });
  expect(lines.map(([, message]) => message).slice(0, 2)).toEqual(['nobody waited', 'of a timer']);
  expect(lines.length).toBeLessThan(6);
});

it.each([
  ['idempotency/fact-ids', 'FactIds.prototype.check.call(undefined)'],
  ['ingest/intake', 'Intake.prototype.take.call(undefined)'],
  ['partition/partition-set', 'PartitionSet.prototype.drop.call(undefined)'],
  ['reservation/participant', 'notEnough(undefined)'],
])('leave state in doubt where they come out of actors/%s', async (file, fault) => {
  const program = PROGRAM.replace("'./dist/actors/stock/evolve.js'", `'./dist/actors/${file}.js'`)
    .replace('{ applyFact }', `{ ${/^\w+/.exec(fault)?.[0]} }`)
    .replace('applyFact(undefined, {})', fault);
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: packageRoot(),
  });
  expect(JSON.parse(stdout)).toMatchObject({ before: '', abandoned: expect.stringContaining('in doubt') });
});

it('leave state in doubt in the bundle that nodes run, too, whose stacks name no sources', async () => {
  const folder = join(packageRoot(), 'dist', 'program', 'assets');
  const [chunk, ...others] = readdirSync(folder).filter((name) => /^deciding-.*\.js$/.test(name));
  expect(others).toEqual([]);
  const { sources } = JSON.parse(readFileSync(join(folder, `${chunk}.map`), 'utf8')) as { sources: string[] };
  expect(sources.filter((source) => !DECIDING.test(source))).toEqual([]);
  expect(sources.some((source) => source.includes('/actors/stock/evolve.'))).toBe(true);
  const program = PROGRAM.replace(
    "import { applyFact } from './dist/actors/stock/evolve.js'",
    `import * as chunk from './dist/program/assets/${chunk}'`,
  ).replace(
    'applyFact(undefined, {})',
    "Object.values(chunk).find(({ name }) => name === 'FactIds').prototype.check.call(undefined)",
  );
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: packageRoot(),
  });
  expect(JSON.parse(stdout)).toMatchObject({ before: '', abandoned: expect.stringContaining('in doubt') });
});
