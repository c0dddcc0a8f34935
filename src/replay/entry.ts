/** The result of one line of a file: a fact as a device would send it, a row that is not about stock, or a refusal. */

/** A fact as JSON for POST /v1/facts. */
export type SentFact = Readonly<Record<string, unknown>>;

/** `place` is the row (the header is row 1) or the line of the file, from 1. */
export type Entry =
  | { readonly kind: 'fact'; readonly place: number; readonly fact: SentFact }
  | { readonly kind: 'skipped'; readonly place: number; readonly why: string }
  | { readonly kind: 'refused'; readonly place: number; readonly message: string };

/** A fact or a row that is not stored, and where it stands. */
export interface Refusal {
  readonly file: string;
  /** Row or line, from 1. */
  readonly place: number;
  readonly id?: string;
  /** `unreadable` if it never left this program, otherwise the server's code. */
  readonly code: string;
  readonly message: string;
}
