/** The context of a run that every figure needs: servers, measuring time, and whether to profile. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from './processes.ts';
import { printProfile } from './profile.ts';
import { Servers } from './servers.ts';

export class BenchContext {
  readonly servers = new Servers();
  readonly seconds: number;
  /** Versions that the servers report, by server. */
  readonly versions = new Map<string, string>();
  readonly #profiles: string | undefined;
  #shown = 0;

  /** @param profiles folder for CPU profiles of the node under test, or undefined for none */
  constructor(seconds: number, profiles: string | undefined) {
    this.seconds = seconds;
    this.#profiles = profiles;
    if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
    this.#shown = Date.now();
  }

  /** Starts a process for a node under test. */
  nodeWorker(nodeArgs: readonly string[] = []): Worker {
    return new Worker({ nodeArgs: [...nodeArgs, ...this.profileArgs('node')] });
  }

  profileArgs(name: string): string[] {
    if (this.#profiles === undefined) return [];
    return ['--cpu-prof', `--cpu-prof-dir=${this.#profiles}`, `--cpu-prof-name=${name}-${Date.now()}.cpuprofile`];
  }

  /** Prints the profiles written since the last call. */
  profiled(): void {
    if (this.#profiles === undefined) return;
    for (const name of readdirSync(this.#profiles).sort()) {
      const file = join(this.#profiles, name);
      if (statSync(file).mtimeMs > this.#shown) printProfile(file);
    }
    this.#shown = Date.now();
  }
}
