/** Versions of the rules by which stored messages are judged (actors/idempotency/rules.ts), and what a first list begins with. */

/**
 * The newest version. Whatever makes a stored message readable or unreadable, or counts it otherwise, is a new one.
 *
 *  1. What 0.1 reads. A name may have characters that nobody sees, an unknown field may be nested as deep as it likes, and the header
 *     Holdfast-Resubmit takes the horizon off.
 *  2. Names are made of what people see, except in a count, which may put a name right that is stored already. Unknown fields have a
 *     bounded depth. No header takes the horizon off.
 */
export const RULES_VERSION = 2;

/** The horizon of streams whose first node was not told another. */
export const DEFAULT_HORIZON_MS = 7 * 86_400_000;

/** How far a device's clock may be ahead. It is recorded with every entry, and nothing is judged by it yet. */
export const CLOCK_SLACK_MS = 300_000;
