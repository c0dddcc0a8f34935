/**
 * The policies in force, by level: (sku, location), (sku, *), (*, location) and (*, *). Each field of a key's policy comes from the most
 * specific level that sets it. Pure.
 *
 * A policy costs memory for its level only, however many stock keys it covers. Equal policies share one object. Merged policies are
 * cached by the levels that they are made of, so a change of a policy makes no cached result wrong.
 *
 * Invariants:
 *  LV1 A key for which no level sets anything gets NO_POLICY itself, and nothing is allocated for it.
 *  LV2 The policies in force depend on what is set now, not on the order of the changes.
 */
import {
  type GroupUnits,
  type KeyPolicy,
  type LocationTerms,
  NO_POLICY,
  type Policies,
  UNKNOWN_LOCATION,
} from './policy.ts';

/** Stands for every SKU or every location. */
export const ANY = '*';

type Units = Readonly<Record<string, number>>;

/** What one level sets. An absent field is left to less specific levels. */
export interface PolicyFields {
  readonly safetyStock?: number | undefined;
  readonly protect?: Units | undefined;
  readonly cap?: Units | undefined;
  readonly backorder?: Units | undefined;
  readonly priority?: Units | undefined;
  readonly substitutes?: readonly string[] | undefined;
  readonly vendorManaged?: boolean | undefined;
  readonly channels?: readonly string[] | undefined;
  readonly reorder?: KeyPolicy['reorder'];
}
export type PolicyField = keyof PolicyFields;
export const POLICY_FIELDS = [
  'safetyStock',
  'protect',
  'cap',
  'backorder',
  'priority',
  'substitutes',
  'vendorManaged',
  'channels',
  'reorder',
] as const satisfies readonly PolicyField[];

export interface Level {
  readonly sku: string;
  readonly location: string;
}
/** What is in force for a key, and the level that each field comes from. */
export interface EffectivePolicy {
  readonly policy: KeyPolicy;
  readonly levels: Readonly<Partial<Record<PolicyField, Level>>>;
}

/** Different policies that are kept to be shared by equal ones. At the bound, the list starts afresh. */
const SHARED = 20_000;
/** Merged policies that are cached. At the bound, the cache starts afresh. */
const MERGED = 50_000;
/** A SKU with more policies for single locations gets an index. */
const FEW = 8;

/** The policies of a SKU that has one for a single location. A SKU with one for all locations only has no such object. */
class SkuLevels {
  everywhere: PolicyFields | undefined;
  /** In pairs of location and policy. */
  few: readonly (string | PolicyFields)[] = [];
  many: Map<string, PolicyFields> | undefined;

  constructor(everywhere: PolicyFields | undefined) {
    this.everywhere = everywhere;
  }

  at(location: string): PolicyFields | undefined {
    if (this.many !== undefined) return this.many.get(location);
    for (let i = 0; i < this.few.length; i += 2) if (this.few[i] === location) return this.few[i + 1] as PolicyFields;
    return undefined;
  }

  get size(): number {
    return this.many?.size ?? this.few.length / 2;
  }

  set(location: string, fields: PolicyFields | undefined): void {
    if (this.many === undefined) {
      const others = this.few.filter((_, i) => this.few[i - (i % 2)] !== location);
      this.few = fields === undefined ? others : [...others, location, fields];
      if (this.size <= FEW) return;
      this.many = new Map();
      for (let i = 0; i < this.few.length; i += 2)
        this.many.set(this.few[i] as string, this.few[i + 1] as PolicyFields);
      this.few = [];
    } else if (fields === undefined) this.many.delete(location);
    else this.many.set(location, fields);
  }
}

/** A node of the cache: what the levels on the way to it set together, from the most specific one on. */
class Merge {
  readonly fields: PolicyFields;
  policy: KeyPolicy | undefined = undefined;
  further: Map<PolicyFields, Merge> | undefined = undefined;

  constructor(fields: PolicyFields) {
    this.fields = fields;
  }
}

export class PolicyLevels implements Policies {
  readonly #bySku = new Map<string, PolicyFields | SkuLevels>();
  readonly #byLocation = new Map<string, PolicyFields>();
  #everywhere: PolicyFields | undefined;
  readonly #locations = new Map<string, LocationTerms>();
  /** By their content, as JSON. */
  readonly #shared = new Map<string, PolicyFields>();
  /** Location names of single policies, so that each is in memory once. */
  readonly #names = new Map<string, string>();
  #merges = new Merge({});
  #merged = 0;
  /** Number of policies. */
  size = 0;

  of(sku: string, location: string): KeyPolicy {
    const ofSku = this.#bySku.get(sku);
    const ofLocation = this.#byLocation.get(location);
    // Most keys have no policy of their own (LV1).
    if (ofSku === undefined && ofLocation === undefined && this.#everywhere === undefined) return NO_POLICY;
    const split = ofSku instanceof SkuLevels;
    let merge = this.#merges;
    merge = this.#with(merge, split ? ofSku.at(location) : undefined);
    merge = this.#with(merge, split ? ofSku.everywhere : ofSku);
    merge = this.#with(merge, ofLocation);
    merge = this.#with(merge, this.#everywhere);
    merge.policy ??= policyOf(merge.fields);
    return merge.policy;
  }

  location(location: string): LocationTerms {
    return this.#locations.get(location) ?? UNKNOWN_LOCATION;
  }

  effective(sku: string, location: string): EffectivePolicy {
    const levels: Partial<Record<PolicyField, Level>> = {};
    const chain: Level[] = [
      { sku, location },
      { sku, location: ANY },
      { sku: ANY, location },
      { sku: ANY, location: ANY },
    ];
    for (const level of chain) {
      const fields = this.get(level.sku, level.location);
      for (const field of POLICY_FIELDS) if (fields?.[field] !== undefined) levels[field] ??= level;
    }
    return { policy: this.of(sku, location), levels };
  }

  /** What one level sets; undefined if it has no policy. */
  get(sku: string, location: string): PolicyFields | undefined {
    if (sku === ANY) return location === ANY ? this.#everywhere : this.#byLocation.get(location);
    const known = this.#bySku.get(sku);
    if (known instanceof SkuLevels) return location === ANY ? known.everywhere : known.at(location);
    return location === ANY ? known : undefined;
  }

  /** Replaces the policy of a level. Without fields, the level has none any more. */
  set(sku: string, location: string, given: PolicyFields | undefined): void {
    const fields = given === undefined ? undefined : this.#share(given);
    const before = this.get(sku, location) === undefined ? 0 : 1;
    this.size += (fields === undefined ? 0 : 1) - before;
    if (sku !== ANY) this.#setOfSku(sku, location, fields);
    else if (location === ANY) this.#everywhere = fields;
    else put(this.#byLocation, location, fields);
  }

  #setOfSku(sku: string, location: string, fields: PolicyFields | undefined): void {
    const known = this.#bySku.get(sku);
    if (location === ANY && !(known instanceof SkuLevels)) {
      put(this.#bySku, sku, fields);
      return;
    }
    const levels = known instanceof SkuLevels ? known : new SkuLevels(known);
    if (location === ANY) levels.everywhere = fields;
    else levels.set(this.#named(location), fields);
    put(this.#bySku, sku, levels.size > 0 ? levels : levels.everywhere);
  }

  setLocation(location: string, terms: LocationTerms | undefined): void {
    put(this.#locations, location, terms);
  }

  #share(fields: PolicyFields): PolicyFields {
    const content = JSON.stringify(fields);
    const known = this.#shared.get(content);
    if (known !== undefined) return known;
    if (this.#shared.size >= SHARED) this.#shared.clear();
    this.#shared.set(content, fields);
    return fields;
  }

  #named(location: string): string {
    const known = this.#names.get(location);
    if (known !== undefined) return known;
    this.#names.set(location, location);
    return location;
  }

  /** Adds a level that is less specific than those before. */
  #with(merge: Merge, fields: PolicyFields | undefined): Merge {
    if (fields === undefined) return merge;
    const known = merge.further?.get(fields);
    if (known !== undefined) return known;
    if (this.#merged >= MERGED) {
      this.#merges = new Merge({});
      this.#merged = 0;
    }
    const next = new Merge({ ...fields, ...merge.fields });
    merge.further ??= new Map();
    merge.further.set(fields, next);
    this.#merged += 1;
    return next;
  }
}

function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function policyOf(fields: PolicyFields): KeyPolicy {
  if (POLICY_FIELDS.every((field) => fields[field] === undefined)) return NO_POLICY;
  const { safetyStock, substitutes, vendorManaged, channels, reorder } = fields;
  return {
    safetyStock: safetyStock ?? NO_POLICY.safetyStock,
    protect: unitsOf(fields.protect),
    cap: unitsOf(fields.cap),
    backorder: unitsOf(fields.backorder),
    priority: unitsOf(fields.priority),
    substitutes: substitutes ?? NO_POLICY.substitutes,
    vendorManaged: vendorManaged ?? NO_POLICY.vendorManaged,
    channels: channels === undefined ? undefined : new Set(channels),
    reorder,
  };
}

function unitsOf(units: Units | undefined): GroupUnits {
  return units === undefined ? NO_POLICY.protect : new Map(Object.entries(units));
}
