/**
 * Counts the facts that wait, by their location, for the anomaly `parked_facts`. Every node reads all of PARKED, so the owner of a
 * location's home partition knows them all, whichever node parked them.
 */
import { partitionOf } from '../../streams/subjects.ts';
import type { ParkedCause, ParkedCauses } from '../ports/parked.ts';

interface Cause extends ParkedCause {
  facts: number;
  readonly reasons: Map<string, number>;
  changed: number;
}

const NONE: ReadonlyMap<string, ParkedCause> = new Map();

export class WaitingCauses implements ParkedCauses {
  readonly #partitions: number;
  readonly #complete: () => boolean;
  readonly #homes = new Map<number, Map<string, Cause>>();
  #version = 0;

  /** @param complete whether all parked facts are read */
  constructor(partitions: number, complete: () => boolean) {
    this.#partitions = partitions;
    this.#complete = complete;
  }

  get version(): number | undefined {
    return this.#complete() ? this.#version : undefined;
  }

  of(partition: number): ReadonlyMap<string, ParkedCause> {
    return this.#homes.get(partition) ?? NONE;
  }

  /** @param by 1 if a fact begins to wait, −1 if it waits no longer */
  count(location: string | undefined, device: string | undefined, reason: string, since: number, by: 1 | -1): void {
    const named = location ?? device;
    const name = location === undefined ? `${device === undefined ? 'none' : 'device'}\u0001${device ?? ''}` : location;
    const home = named === undefined ? 0 : partitionOf(named, this.#partitions);
    const causes = this.#homes.get(home) ?? new Map<string, Cause>();
    this.#homes.set(home, causes);
    this.#version += 1;
    let cause = causes.get(name);
    if (cause === undefined) {
      const of = location === undefined ? device : undefined;
      cause = { location, device: of, facts: 0, reasons: new Map(), since, changed: 0 };
      causes.set(name, cause);
    }
    cause.facts += by;
    cause.changed = this.#version;
    const ofReason = (cause.reasons.get(reason) ?? 0) + by;
    if (ofReason === 0) cause.reasons.delete(reason);
    else cause.reasons.set(reason, ofReason);
    if (cause.facts === 0) causes.delete(name);
  }
}
