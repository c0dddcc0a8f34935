/**
 * A bug that the simulation must catch, as edits to a copy of the program's text. A comment `// mutant: NAME` marks the statement that
 * follows it, and an edit replaces that statement. The program can change freely as long as the marked statements keep their markers.
 */
import type { FaultName } from '../options.ts';

export interface Edit {
  readonly marker: string;
  /** Replacement text. An empty string deletes the statement. */
  readonly put: string;
  /** True if only the line that opens the statement's block is replaced. */
  readonly head: boolean;
  /** Number of statements to replace. */
  readonly statements: number;
}
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** The faults that the bug needs. It runs with only these, all enabled. Without them each seed draws its own. */
  readonly faults?: readonly FaultName[];
  /** True if only a few seeds in a thousand expose the bug even with its faults, so that it may stay uncaught. */
  readonly isRare?: boolean;
}

/** Names the faults that a bug needs. */
export const aimed = (faults: readonly FaultName[], bug: Mutant): Mutant => ({ ...bug, faults });
/** Marks a bug as rare, and names the faults that it needs. */
export const rare = (faults: readonly FaultName[], bug: Mutant): Mutant => ({ ...bug, faults, isRare: true });
export const mutant = (name: string, ...edits: readonly Edit[]): Mutant => ({ name, edits });
export const put = (marker: string, text: string, { head = false, statements = 1 } = {}): Edit => ({
  marker,
  put: text,
  head,
  statements,
});
