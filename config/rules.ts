/** Versions of the rules by which stored messages are judged (actors/idempotency/rules.ts), and the values of a first list. */

/**
 * The newest version. Any change that makes a stored message readable or unreadable, or counts it differently, needs a new version.
 *
 *  1. The rules of 0.1. A name may have invisible characters, an unknown field may be nested to any depth, and the header
 *     Holdfast-Resubmit exempts a fact from the horizon.
 *  2. Names have visible characters only, except in a count, which may correct the stock of a name that is already stored. Unknown
 *     fields have a bounded depth. No header exempts a fact from the horizon.
 *  3. A field that would change what is counted is refused on a type that does not define it. An optional field that is null or '' is
 *     absent. A fact that happened more than the slack after it was stored counts as of when it was stored, and what older rules had
 *     believed counts as of when this version began. Transfers can be closed. Facts may be stored in bundles.
 *  4. The types `item` and `purchase` can be read, and neither has a horizon. A receipt counts against the purchase order that it names.
 */
export const RULES_VERSION = 4;

/** The horizon of new streams unless their first node has another setting. */
export const DEFAULT_HORIZON_MS = 7 * 86_400_000;

/** How far a device's clock may be ahead, in milliseconds. Every entry records it. */
export const CLOCK_SLACK_MS = 300_000;

/**
 * What `uom`, `unit` and `pack` of a fact may say, in lower case, unless an entry of the rules has other words. It never changes, because
 * entries without words stand for these.
 */
export const ONE_PIECE: readonly string[] = ['ea', 'each', 'pc', 'pcs', 'unit', '1'];
