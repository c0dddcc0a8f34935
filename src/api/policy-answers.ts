/** Turns decoded requests about policies and locations into the bodies of their answers. Requests are strict (src/api/checks.ts). */
import type { PolicyService, Said, Versioned } from '../../actors/in-force/policy-desk.ts';
import type { LocationFields } from '../../actors/in-force/records.ts';
import type { PolicyFields } from '../../actors/policy/levels.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import { type LocationAnswer, type LocationHistory, locationBody } from '../../streams/contract/promise/location.ts';
import {
  authorQuery,
  type EffectiveAnswer,
  historyQuery,
  type PolicyAnswer,
  type PolicyHistory,
  policyBody,
  policyParams,
  type RemovedAnswer,
} from '../../streams/contract/promise/policy.ts';
import { locationParams } from '../../streams/contract/system.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { invalid, present, valid, validQuery } from './checks.ts';

/** An answer with the version for the header ETag. It has none if nothing was set. */
export interface Tagged<T> {
  readonly body: T;
  readonly etag?: string;
}

/** Which locations have stock. */
export interface KnownLocations {
  locations(): Promise<readonly { readonly location: string }[]>;
}

export class PolicyAnswers {
  readonly #desk: PolicyService;
  readonly #known: KnownLocations;

  constructor(desk: PolicyService, known: KnownLocations) {
    this.#desk = desk;
    this.#known = known;
  }

  /** The policy of a level, or its changes. */
  async policy(params: unknown, query: unknown): Promise<Tagged<PolicyAnswer | PolicyHistory>> {
    const { sku, location } = valid(policyParams, params);
    const { history } = validQuery(historyQuery, query);
    if (history === undefined) return policyAnswer(sku, location, await this.#desk.policy(sku, location));
    const changes = await this.#desk.policyHistory(sku, location);
    const shown = changes.map(({ set, ...change }) => ({
      ...change,
      policy: set === null ? null : shownPolicy(sku, location, set),
    }));
    return { body: { history: shown } };
  }

  async setPolicy(params: unknown, body: unknown, ifMatch: string | undefined): Promise<Tagged<PolicyAnswer>> {
    const path = valid(policyParams, params);
    const { by, why, sku, location, ...fields } = valid(policyBody, present(body));
    mustBeNew(path);
    mustAgree(path, { sku, location });
    const set = await this.#desk.setPolicy(path.sku, path.location, fields, { by, why, ifMatch });
    return policyAnswer(path.sku, path.location, set);
  }

  async removePolicy(params: unknown, query: unknown, ifMatch: string | undefined): Promise<Tagged<RemovedAnswer>> {
    const { sku, location } = valid(policyParams, params);
    return removed(await this.#desk.removePolicy(sku, location, saidIn(query, ifMatch)));
  }

  async effective(params: unknown): Promise<EffectiveAnswer> {
    const { sku, location } = valid(policyParams, params);
    const { policy, levels } = this.#desk.effective(sku, location);
    const { safetyStock, protect, cap, backorder, priority, substitutes, vendorManaged, channels, reorder } = policy;
    return {
      sku,
      location,
      safetyStock,
      protect: Object.fromEntries(protect),
      cap: Object.fromEntries(cap),
      backorder: Object.fromEntries(backorder),
      priority: Object.fromEntries(priority),
      substitutes: [...substitutes],
      vendorManaged,
      ...(channels === undefined ? {} : { channels: [...channels] }),
      ...(reorder === undefined ? {} : { reorder: { ...reorder } }),
      levels: Object.fromEntries(Object.entries(levels).map(([field, level]) => [field, { ...level }])),
    };
  }

  /** The description of a location, or its changes. A location that is known only from facts has the defaults. */
  async location(params: unknown, query: unknown): Promise<Tagged<LocationAnswer | LocationHistory>> {
    const { id } = valid(locationParams, params);
    const { history } = validQuery(historyQuery, query);
    if (history !== undefined) {
      const changes = await this.#desk.locationHistory(id);
      const shown = changes.map(({ set, ...change }) => ({
        ...change,
        location: set === null ? null : shownLocation(id, set),
      }));
      return { body: { history: shown } };
    }
    const found = await this.#desk.location(id);
    if (found !== undefined) return locationAnswer(id, found);
    if ((await this.#known.locations()).some(({ location }) => location === id)) return { body: shownLocation(id, {}) };
    throw new Refusal('not-found', `nothing is known of location ${id}`);
  }

  async setLocation(params: unknown, body: unknown, ifMatch: string | undefined): Promise<Tagged<LocationAnswer>> {
    const path = valid(locationParams, params);
    const { by, why, id, ...fields } = valid(locationBody, present(body));
    mustBeNew(path);
    mustAgree(path, { id });
    return locationAnswer(path.id, await this.#desk.setLocation(path.id, fields, { by, why, ifMatch }));
  }

  async removeLocation(params: unknown, query: unknown, ifMatch: string | undefined): Promise<Tagged<RemovedAnswer>> {
    const { id } = valid(locationParams, params);
    return removed(await this.#desk.removeLocation(id, saidIn(query, ifMatch)));
  }
}

function policyAnswer(sku: string, location: string, { value, etag }: Versioned<PolicyFields>): Tagged<PolicyAnswer> {
  return { body: shownPolicy(sku, location, value), etag };
}

function shownPolicy(sku: string, location: string, fields: PolicyFields): PolicyAnswer {
  return { sku, location, ...fields } as PolicyAnswer;
}

function locationAnswer(id: string, { value, etag }: Versioned<LocationFields>): Tagged<LocationAnswer> {
  return { body: shownLocation(id, value), etag };
}

/** A location with what is taken for granted if its description leaves it out. */
function shownLocation(id: string, fields: LocationFields): LocationAnswer {
  return { id, name: id, kind: 'store', services: ['ship', 'pickup'], ...fields };
}

function removed(etag: string): Tagged<RemovedAnswer> {
  return { body: { removed: true, etag }, etag };
}

function saidIn(query: unknown, ifMatch: string | undefined): Said {
  return { ...validQuery(authorQuery, query), ifMatch };
}

/** A name that new facts cannot have would set something that never takes effect. */
function mustBeNew(names: Readonly<Record<string, string>>): void {
  const wrong = Object.entries(names).filter(([, name]) => !isName(name));
  if (wrong.length > 0) throw invalid(wrong.map(([field]) => ({ field, message: `must be ${NAME_RULE}` })));
}

/** The body of an answer can be sent back, so it may have the names of the path. */
function mustAgree(path: Readonly<Record<string, string>>, body: Readonly<Record<string, string | undefined>>): void {
  const wrong = Object.entries(body).filter(([field, name]) => name !== undefined && name !== path[field]);
  if (wrong.length > 0)
    throw invalid(wrong.map(([field]) => ({ field, message: 'must be that of the path, or left out' })));
}
