/** Nodes under the auditor's load during a fault. Afterwards every node must report exactly what was acknowledged. */
import { Auditor, type Decide, type Load, names } from '../../harness/callers/auditor.ts';
import type { NodeProcess } from '../../harness/processes/node-process.ts';
import { until } from '../../harness/until.ts';

export class UnderLoad {
  readonly auditor: Auditor;
  readonly nodes: readonly NodeProcess[];
  #turn = 0;
  #load: Load | undefined;

  /** The nodes must already serve. @param decide how callers ask; over HTTP by default */
  constructor(nodes: readonly NodeProcess[], callers = 12, tag = 'a', decide?: Decide) {
    this.nodes = nodes;
    const shape = { callers, scarce: names('S', 8), busy: names('B', 8), locations: ['dc', 'shop'] };
    this.auditor = new Auditor(shape, tag, 1, decide);
  }

  async start(): Promise<void> {
    await this.auditor.stock(this.#url, 5_000);
    this.#load = this.auditor.load(this.#url);
  }

  get done(): number {
    return this.#load?.done() ?? 0;
  }

  /** Waits until this many more operations are decided. */
  async more(count: number, withinMs = 120_000): Promise<void> {
    const from = this.done;
    await until(
      () => this.done > from + count,
      withinMs,
      () => `the load goes on (${this.done - from} of ${count}): ${this.nodes.map((node) => node.tail(3)).join('\n')}`,
    );
  }

  /** Lets callers finish, and returns each difference between a node and their answers. */
  async findings(): Promise<string[]> {
    await this.#load?.stop();
    const found: string[] = [];
    for (const node of this.nodes) {
      if (!node.alive) continue;
      found.push(...(await this.auditor.findings(node.url)).map((what) => `${node.name}: ${what}`));
    }
    return found;
  }

  /** Picks running nodes in turn. */
  readonly #url = (): string => {
    const alive = this.nodes.filter((node) => node.alive);
    const from = alive.length === 0 ? this.nodes : alive;
    this.#turn += 1;
    return (from[this.#turn % from.length] as NodeProcess).url;
  };
}
