/** What a line of a file turns into: a fact as a device would send it, a row that speaks of no stock, or a refusal. */

/** JSON-ready, as it goes into POST /v1/facts. */
export type SentFact = Readonly<Record<string, unknown>>;

/** `place` is the row (the header is row 1) or line of the file, from 1. */
export type Entry =
  | { readonly kind: 'fact'; readonly place: number; readonly fact: SentFact }
  | { readonly kind: 'skipped'; readonly place: number; readonly why: string }
  | { readonly kind: 'refused'; readonly place: number; readonly message: string };
