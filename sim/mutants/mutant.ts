/**
 * A bug that the simulation must catch: edits of the program's own text, in a copy of it. A comment `// mutant: NAME` in the program marks the
 * statement behind it, and an edit puts another text in its place. So the program can be changed as long as its seams keep their markers.
 */
import type { FaultName } from '../options.ts';

export interface Edit {
  readonly marker: string;
  /** In the place of what is marked; nothing, if it is left out. */
  readonly put: string;
  /** Only the line that opens the statement's block is replaced. */
  readonly head: boolean;
  /** How many statements are replaced. */
  readonly statements: number;
}
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** It is rare: few seeds in a thousand bring it out. It is looked for with these faults alone, all on, and need not be found. */
  readonly faults?: readonly FaultName[];
}

/** A bug that needs these faults, and luck. */
export const rare = (faults: readonly FaultName[], bug: Mutant): Mutant => ({ ...bug, faults });
export const mutant = (name: string, ...edits: readonly Edit[]): Mutant => ({ name, edits });
export const put = (marker: string, text: string, { head = false, statements = 1 } = {}): Edit => ({
  marker,
  put: text,
  head,
  statements,
});
