/**
 * `npm run sim -- --mutants`: proves that the simulation detects bugs. Each seeded bug is put into a copy of the program, which runs seeds
 * until one fails. The table shows how many seeds that took.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { edited, markersIn } from './markers.ts';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';

/** Relative to the compiled file dist/sim/sim/mutants/mutate.js. */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const COPIED = ['actors', 'config', 'dashboards', 'sim', 'src', 'streams', 'package.json', 'tsconfig.json'];
/** An edit may leave an unused name or unreachable code. */
const LENIENT = ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false', '--allowUnreachableCode', 'true'];
/** Longest run of one mutant, because a bug may also cause an endless loop. */
const LONGEST_MS = 240_000;

export interface Catch {
  readonly name: string;
  /** True if the bug may stay uncaught. */
  readonly rare: boolean;
  /** Seeds run until one failed, or undefined if none did. */
  readonly after: number | undefined;
  /** The simulation's output for the failure. */
  readonly said: string;
}

/** Runs the mutants whose name contains `only`, at most `atOnce` at a time. */
export async function mutate(only: string, seeds: number, atOnce: number): Promise<Catch[]> {
  const waiting = MUTANTS.filter(({ name }) => name.includes(only));
  const caught: Catch[] = [];
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const result = { ...(await run(mutant, seeds)), rare: mutant.isRare === true };
      caught.push(result);
      const after = result.after === undefined ? `NOT CAUGHT in ${seeds}` : `caught after ${result.after}`;
      console.log(`${mutant.name}: ${after}; ${result.said}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const order = MUTANTS.map(({ name }) => name);
  return caught.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

async function run({ name, edits, faults }: Mutant, seeds: number): Promise<Omit<Catch, 'rare'>> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mutant-'));
  try {
    for (const each of COPIED) cpSync(join(ROOT, each), join(folder, each), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const markers = markersIn(folder);
    for (const edit of edits) {
      const file = markers.get(edit.marker);
      if (file === undefined) throw new Error(`the mutant "${name}" has no marker ${edit.marker}`);
      writeFileSync(join(folder, file), edited(readFileSync(join(folder, file), 'utf8'), edit));
    }
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const compiled = spawnSync(process.execPath, [compiler, '-p', join(folder, 'sim', 'tsconfig.json'), ...LENIENT], {
      encoding: 'utf8',
    });
    // A mutant that does not compile proves nothing, because its own error would "catch" it.
    if (compiled.status !== 0) throw new Error(`the mutant "${name}" does not compile: ${compiled.stdout}`);
    const program = join(folder, 'dist', 'sim', 'sim', 'main.js');
    const output = await outputOf([
      program,
      '--seeds',
      String(seeds),
      '--stop',
      ...(faults === undefined ? [] : ['--faults', faults.join()]),
    ]);
    const failed = /^seed (\d+): (.*)$/m.exec(output.text);
    if (failed !== null) return { name, after: Number(failed[1]), said: (failed[2] ?? '').slice(0, 160) };
    if (output.code === 0) return { name, after: undefined, said: output.text.trim().split('\n').at(-1) ?? '' };
    const done = seedsIn(output.text);
    if (output.code === null) return { name, after: undefined, said: `not in ${done} seeds, ${LONGEST_MS / 1000} s` };
    return { name, after: done + 1, said: `it ends with code ${output.code}: ${output.text.slice(-160).trim()}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Number of seeds finished before the run ended. */
function seedsIn(text: string): number {
  return [...text.matchAll(/^seed \d+ done$/gm)].length;
}

function outputOf(args: readonly string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    const late = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
    // `close`, not `exit`, because output may still arrive after `exit`.
    child.once('close', (code) => {
      clearTimeout(late);
      resolve({ code, text });
    });
  });
}
