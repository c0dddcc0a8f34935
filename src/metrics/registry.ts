/**
 * The registry of a node holds Holdfast's own families, and prom-client's metrics of the process and of Node.js. No other file imports
 * prom-client, because its metrics hash their labels at each observation and at each scrape (docs/adr/live/0024).
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Family, familyText } from './exposition.ts';

/** Gauges of prom-client whose names end like counters. `promtool check metrics` rejects them. */
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

  /** Throws if the name is already taken, because Prometheus rejects a family that appears twice. */
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
