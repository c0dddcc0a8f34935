/** Child processes of the bench. Load, peers and the node under test each run in one of their own, and end with the bench. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { JobName, Jobs } from './worker.ts';

export interface WorkerOptions {
  /** Arguments for Node.js itself, such as --expose-gc. */
  readonly nodeArgs?: readonly string[];
}

const ENTRY = fileURLToPath(new URL('./worker.js', import.meta.url));

export class Worker {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #next = 1;
  #ended = false;

  constructor({ nodeArgs = [] }: WorkerOptions = {}) {
    this.#child = fork(ENTRY, [], { execArgv: [...nodeArgs], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => this.#take(message as { id: number; result?: unknown; error?: string }));
    this.#child.once('exit', (code, signal) => {
      this.#ended = true;
      for (const { reject } of this.#waiting.values())
        reject(new Error(`a process of the bench ended (${code ?? signal})`));
      this.#waiting.clear();
    });
  }

  run<Name extends JobName>(name: Name, ...options: Parameters<Jobs[Name]>): Promise<Awaited<ReturnType<Jobs[Name]>>> {
    if (this.#ended) return Promise.reject(new Error('the process has ended'));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, name, options });
    });
  }

  /** Ends the process and waits for it. The process may write its profile first. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(timer);
  }

  #take({ id, result, error }: { id: number; result?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}
