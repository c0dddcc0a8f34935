/**
 * The registry of a node: Holdfast's own families, and what prom-client says of the process and of Node.js. The one file that imports
 * prom-client, which is used for no more: its metrics hash their labels at each observation and at each reading (docs/adr/live/0024).
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Family, familyText } from './exposition.ts';

/** Gauges of prom-client whose names end like counters, which `promtool check metrics` finds. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export class FamilyRegistry {
  readonly #process = new Registry();
  readonly #families = new Map<string, Family>();

  constructor() {
    collectDefaultMetrics({ register: this.#process });
    for (const name of MISNAMED) this.#process.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#process.contentType;
  }

  /** Throws if there is one of that name: two would be no metrics that Prometheus takes. */
  add(family: Family): void {
    if (this.#families.has(family.name)) throw new Error(`the metric ${family.name} is there already`);
    this.#families.set(family.name, family);
  }

  async render(): Promise<string> {
    let text = '';
    for (const family of this.#families.values()) text += familyText(family);
    return text + (await this.#process.metrics());
  }
}
