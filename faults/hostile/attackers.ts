/** The attackers' process, which takes orders from the scenario. */
import { type ChildProcess, fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../src/process/package-root.ts';
import type { Order, Told } from './orders.ts';

export class Attackers {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (told: Told) => void>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (told: Told) => this.#tell(told.attack, told));
    child.once('exit', () => {
      for (const attack of this.#waiting.keys())
        this.#tell(attack, { attack, wrong: [], failed: 'the attackers ended' });
    });
  }

  /** @param priority of the process, as for `os.setPriority` */
  static async start(priority: number): Promise<Attackers> {
    const child = fork(await program(), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    if (child.pid !== undefined) setPriority(child.pid, priority);
    return new Attackers(child);
  }

  /** Resolves when the attack is over. */
  attack(order: Order): Promise<Told> {
    return new Promise((resolve) => {
      this.#waiting.set(order.attack, resolve);
      if (this.#child.connected) this.#child.send(order);
      else this.#tell(order.attack, { attack: order.attack, wrong: [], failed: 'the attackers have ended' });
    });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  #tell(attack: string, told: Told): void {
    this.#waiting.get(attack)?.(told);
    this.#waiting.delete(attack);
  }
}

/** The compiled suite has the program beside this file. The tests run sources, so they bundle it first. */
async function program(): Promise<string> {
  const beside = fileURLToPath(new URL('main.js', import.meta.url));
  if (import.meta.url.endsWith('.js')) return beside;
  const { build } = await import('vite');
  const outDir = join(packageRoot(), 'dist', 'attackers');
  const entry = fileURLToPath(new URL('main.ts', import.meta.url));
  await build({ configFile: false, logLevel: 'error', build: { ssr: entry, outDir, target: 'node20' } });
  return join(outDir, 'main.js');
}
