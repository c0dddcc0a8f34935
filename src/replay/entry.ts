/** The result of one line of a file: a fact as a device would send it, a row that is not about stock, or a refusal. */

/** A fact as JSON for POST /v1/facts. */
export type SentFact = Readonly<Record<string, unknown>>;

/** `place` is the row (the header is row 1) or the line of the file, from 1. */
export type Entry =
  | { readonly kind: 'fact'; readonly place: number; readonly fact: SentFact }
  | { readonly kind: 'skipped'; readonly place: number; readonly why: string }
  | { readonly kind: 'refused'; readonly place: number; readonly message: string };
