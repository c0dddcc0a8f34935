/** Policies in memory for tests of the HTTP front: the real desk on a bucket in memory, whose changes are in force at once. */
import { PolicyDesk } from '../../../../actors/in-force/policy-desk.ts';
import type { LocationFields } from '../../../../actors/in-force/records.ts';
import { PolicyLevels } from '../../../../actors/policy/levels.ts';
import { BrokerError, type HistoryKeys, type KeyEntry } from '../../../../streams/broker.ts';

class MemoryHistory implements HistoryKeys {
  readonly #entries: KeyEntry[] = [];
  readonly #stored: (record: string) => void;

  constructor(stored: (record: string) => void) {
    this.#stored = stored;
  }

  async get(key: string): Promise<KeyEntry | undefined> {
    return this.#entries.findLast((entry) => entry.key === key);
  }

  async all(): Promise<KeyEntry[]> {
    return [...new Map(this.#entries.map((entry) => [entry.key, entry])).values()];
  }

  async history(key: string): Promise<KeyEntry[]> {
    return this.#entries.filter((entry) => entry.key === key);
  }

  async put(key: string, value: string, expected?: number): Promise<number> {
    const known = await this.get(key);
    if (expected !== undefined && expected !== (known?.revision ?? 0)) throw new BrokerError('conflict', key);
    const revision = this.#entries.length + 1;
    this.#entries.push({ key, value, revision, createdMs: 0 });
    this.#stored(value);
    return revision;
  }

  async delete(): Promise<void> {
    throw new Error('a removal is a record');
  }
}

export function memoryPolicies(): PolicyDesk {
  const levels = new PolicyLevels();
  const locations = new Map<string, LocationFields>();
  return new PolicyDesk({
    policies: new MemoryHistory((record) => {
      const { sku, location, set } = JSON.parse(record);
      levels.set(sku, location, set ?? undefined);
    }),
    locations: new MemoryHistory((record) => {
      const { id, set } = JSON.parse(record);
      if (set === null) locations.delete(id);
      else locations.set(id, set);
    }),
    feed: { policies: levels, locations },
    everywhere: { wait: async () => undefined },
    clock: { nowMs: () => Date.parse('2026-11-24T09:15:00.123Z') },
  });
}
