/**
 * What policies say of one SKU at one location, and what is known of a location. Pure. Decisions read it when they are made, and the
 * journal holds their results, so a replay needs no policy.
 */

/** Units by channel or purpose. Both kinds of names share one space: a group. */
export type GroupUnits = ReadonlyMap<string, number>;

/** The policy in force for one stock key. Each field comes from the most specific level that has it. */
export interface KeyPolicy {
  /** Units withheld from every promise. */
  readonly safetyStock: number;
  /** Units kept for a group, away from all others. */
  readonly protect: GroupUnits;
  /** The most that a group may have at once: held, allocated and promised. */
  readonly cap: GroupUnits;
  /** Units that a group may be promised without a date, beyond all that is there and on its way. */
  readonly backorder: GroupUnits;
  /** Who comes first when supply falls short: 1 before 2. A group without a number comes last. */
  readonly priority: GroupUnits;
  /** SKUs that a refusal names instead. */
  readonly substitutes: readonly string[];
  readonly vendorManaged: boolean;
  /** Channels served from here; undefined means all. */
  readonly channels: ReadonlySet<string> | undefined;
  readonly reorder: { readonly min: number; readonly max: number; readonly pack: number } | undefined;
}

const NOBODY: GroupUnits = new Map();

/** In force where no level sets anything. Always this object, so that callers can compare by identity. */
export const NO_POLICY: KeyPolicy = {
  safetyStock: 0,
  protect: NOBODY,
  cap: NOBODY,
  backorder: NOBODY,
  priority: NOBODY,
  substitutes: [],
  vendorManaged: false,
  channels: undefined,
  reorder: undefined,
};

/** What the promises of a location need to know of it. */
export interface LocationTerms {
  /** IANA name of the time zone in which its days end; undefined means UTC. */
  readonly timezone: string | undefined;
  /** Hours from another location to this one, by that location. */
  readonly transitHours: ReadonlyMap<string, number>;
}

export const UNKNOWN_LOCATION: LocationTerms = { timezone: undefined, transitHours: new Map() };

/** The policies and locations that are in force on this node. */
export interface Policies {
  /** NO_POLICY itself if nothing is set for the key. */
  of(sku: string, location: string): KeyPolicy;
  /** UNKNOWN_LOCATION itself if nothing is set for the location. */
  location(location: string): LocationTerms;
}

export const NO_POLICIES: Policies = { of: () => NO_POLICY, location: () => UNKNOWN_LOCATION };
