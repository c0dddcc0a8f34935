/** Lets the system clock jump for one process. It uses libfaketime, installed or fetched by apt into the run's folder. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from './rig.ts';

const LIBRARY = 'libfaketimeMT.so.1';

/** Path of the library, or undefined if it is unavailable. */
export function findFaketime(rig: Rig): string | undefined {
  const installed = inFolder('/usr/lib');
  if (installed !== undefined) return installed;
  const folder = rig.path('faketime');
  mkdirSync(folder);
  if (spawnSync('apt-get', ['download', 'libfaketime'], { cwd: folder }).status !== 0) return undefined;
  const [debian] = readdirSync(folder);
  if (debian === undefined || spawnSync('dpkg', ['-x', debian, '.'], { cwd: folder }).status !== 0) return undefined;
  return inFolder(join(folder, 'usr', 'lib'));
}

export class JumpingClock {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(rig: Rig, library: string) {
    this.#file = rig.path('clock');
    this.jump(0);
    // A machine's monotonic clock does not jump with its wall clock.
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** From now on the wall clock differs from the true time by this many seconds. */
  jump(seconds: number): void {
    writeFileSync(this.#file, `${seconds >= 0 ? '+' : ''}${seconds}\n`);
  }
}

function inFolder(folder: string): string | undefined {
  for (const machine of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, machine, 'faketime', LIBRARY);
    if (existsSync(path)) return path;
  }
  return undefined;
}
