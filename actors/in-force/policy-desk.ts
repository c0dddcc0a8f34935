/**
 * Policies and descriptions of locations, as callers read and change them. A change is stored by compare-and-set. Its answer comes when it is
 * in force on every node (everywhere.ts).
 *
 * Invariants:
 *  DC1 Nothing is lost once it is stored, whatever happens to this node, because every node follows the buckets.
 *  DC2 A removal is a record like any other change, so the history says who removed what, and why.
 */

import type { HistoryKeys, KeyEntry } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { formatInstant } from '../../streams/instant.ts';
import type { EffectivePolicy, PolicyFields } from '../policy/levels.ts';
import { Refusal } from '../ports/refusal.ts';
import type { Everywhere } from './everywhere.ts';
import type { PolicyFeed } from './policy-feed.ts';
import { type LocationFields, type LocationRecord, locationKey, type PolicyRecord, policyKey } from './records.ts';

/** Who changes something, why, and the version that it must have. */
export interface Said {
  readonly by?: string | undefined;
  readonly why?: string | undefined;
  readonly ifMatch?: string | undefined;
}
/** A value and its version. */
export interface Versioned<T> {
  readonly value: T;
  readonly etag: string;
}
/** `set` is null if the change removed the value. */
export interface PastChange<T> {
  readonly set: T | null;
  readonly etag: string;
  readonly at: string;
  readonly by?: string | undefined;
  readonly why?: string | undefined;
}

/** What the fronts ask. Every method refuses by rejecting with a Refusal. */
export interface PolicyService {
  policy(sku: string, location: string): Promise<Versioned<PolicyFields>>;
  setPolicy(sku: string, location: string, fields: PolicyFields, said: Said): Promise<Versioned<PolicyFields>>;
  /** Returns the version of the removal. */
  removePolicy(sku: string, location: string, said: Said): Promise<string>;
  /** The newest first. */
  policyHistory(sku: string, location: string): Promise<readonly PastChange<PolicyFields>[]>;
  effective(sku: string, location: string): EffectivePolicy;
  /** Undefined if the location is not described. */
  location(id: string): Promise<Versioned<LocationFields> | undefined>;
  setLocation(id: string, fields: LocationFields, said: Said): Promise<Versioned<LocationFields>>;
  removeLocation(id: string, said: Said): Promise<string>;
  locationHistory(id: string): Promise<readonly PastChange<LocationFields>[]>;
  /** Descriptions by id. */
  readonly locations: ReadonlyMap<string, LocationFields>;
}

export interface PolicyDeskDeps {
  readonly policies: HistoryKeys;
  readonly locations: HistoryKeys;
  readonly feed: Pick<PolicyFeed, 'policies' | 'locations'>;
  readonly everywhere: Pick<Everywhere, 'wait'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

type StoredChange<T> = { readonly set: T | null; readonly by?: string; readonly why?: string; readonly at: string };

export class PolicyDesk implements PolicyService {
  readonly #deps: PolicyDeskDeps;
  constructor(deps: PolicyDeskDeps) {
    this.#deps = deps;
  }

  async policy(sku: string, location: string): Promise<Versioned<PolicyFields>> {
    const found = presentOf<PolicyFields>(await this.#deps.policies.get(policyKey(sku, location)));
    if (found === undefined) throw noPolicy(sku, location);
    return found;
  }

  setPolicy(sku: string, location: string, fields: PolicyFields, said: Said): Promise<Versioned<PolicyFields>> {
    return this.#set(0, policyKey(sku, location), fields, { sku, location }, said, () => noPolicy(sku, location));
  }

  async removePolicy(sku: string, location: string, said: Said): Promise<string> {
    const key = policyKey(sku, location);
    return (await this.#set(0, key, null, { sku, location }, said, () => noPolicy(sku, location))).etag;
  }

  policyHistory(sku: string, location: string): Promise<readonly PastChange<PolicyFields>[]> {
    return this.#history(0, policyKey(sku, location), () => noPolicy(sku, location));
  }

  effective(sku: string, location: string): EffectivePolicy {
    return this.#deps.feed.policies.effective(sku, location);
  }

  async location(id: string): Promise<Versioned<LocationFields> | undefined> {
    return presentOf<LocationFields>(await this.#deps.locations.get(locationKey(id)));
  }

  setLocation(id: string, fields: LocationFields, said: Said): Promise<Versioned<LocationFields>> {
    return this.#set(1, locationKey(id), fields, { id }, said, () => noLocation(id));
  }

  async removeLocation(id: string, said: Said): Promise<string> {
    return (await this.#set(1, locationKey(id), null, { id }, said, () => noLocation(id))).etag;
  }

  locationHistory(id: string): Promise<readonly PastChange<LocationFields>[]> {
    return this.#history(1, locationKey(id), () => noLocation(id));
  }

  get locations(): ReadonlyMap<string, LocationFields> {
    return this.#deps.feed.locations;
  }

  /** Stores a change, and resolves when it is in force on every node. @param set null removes what is there */
  async #set<T>(
    bucket: 0 | 1,
    key: string,
    set: T,
    names: Pick<PolicyRecord, 'sku' | 'location'> | Pick<LocationRecord, 'id'>,
    { by, why, ifMatch }: Said,
    unknown: () => Refusal,
  ): Promise<Versioned<T>> {
    const keys = this.#keys(bucket);
    const at = formatInstant(this.#deps.clock.nowMs() * 1000);
    const value = JSON.stringify({ ...names, set, by, why, at });
    for (;;) {
      const read = set === null || ifMatch !== undefined ? await keys.get(key) : undefined;
      const present = presentOf(read);
      if (ifMatch !== undefined && (present === undefined || !matches(ifMatch, present.etag)))
        throw changed(present?.etag);
      if (set === null && present === undefined) throw unknown();
      let revision: number;
      try {
        revision = await keys.put(key, value, read?.revision);
      } catch (error) {
        if ((error as { kind?: string }).kind !== 'conflict') throw error;
        // Somebody else was faster. What is there now decides.
        continue;
      }
      await this.#deps.everywhere.wait(bucket, revision);
      return { value: set, etag: String(revision) };
    }
  }

  async #history<T>(bucket: 0 | 1, key: string, unknown: () => Refusal): Promise<readonly PastChange<T>[]> {
    const entries = await this.#keys(bucket).history(key);
    if (entries.length === 0) throw unknown();
    return entries.reverse().map(({ value, revision }) => {
      const { set, at, by, why } = JSON.parse(value) as StoredChange<T>;
      return { etag: String(revision), at, by, why, set };
    });
  }

  #keys(bucket: 0 | 1): HistoryKeys {
    return bucket === 0 ? this.#deps.policies : this.#deps.locations;
  }
}

/** Undefined if there is nothing, or if it was removed (DC2). */
function presentOf<T>(entry: KeyEntry | undefined): Versioned<T> | undefined {
  if (entry === undefined) return undefined;
  const { set } = JSON.parse(entry.value) as StoredChange<T>;
  return set === null ? undefined : { value: set, etag: String(entry.revision) };
}

/** Whether one of the versions of an If-Match is this one. */
function matches(ifMatch: string, etag: string): boolean {
  return ifMatch.split(',').some((each) => ['*', `"${etag}"`, etag].includes(each.trim()));
}

function changed(etag: string | undefined): Refusal {
  const now = etag === undefined ? 'nothing is set now' : `its version is "${etag}" now`;
  return new Refusal('changed', `If-Match names another version; ${now}: read it again`);
}

function noPolicy(sku: string, location: string): Refusal {
  return new Refusal('not-found', `no policy is set for SKU ${sku} at location ${location}`);
}

function noLocation(id: string): Refusal {
  return new Refusal('not-found', `nothing is known of location ${id}`);
}
