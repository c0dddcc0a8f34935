/**
 * Assertions check invariants where they could break, in production too. A failed assertion is a fault of the program. It throws, so a
 * partition that is being folded stops and is rebuilt from its log, and a request fails with an internal error.
 *
 * Invariants:
 *  AS1 `at` is called only for an element that exists.
 *  AS2 Every failure is counted once, wherever it is caught.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
  /** Id of the invariant that did not hold, as in a file's header. */
  readonly invariant: string;

  constructor(invariant: string, detail?: string) {
    super(`${invariant} does not hold${detail === undefined ? '' : `: ${detail}`}`);
    this.invariant = invariant;
    failures.set(invariant, (failures.get(invariant) ?? 0) + 1);
  }
}

const failures = new Map<string, number>();

/** How often each invariant failed in this process (AS2). */
export const assertionFailures: ReadonlyMap<string, number> = failures;

/** @param invariant id of the invariant that the condition checks */
export function assert(condition: boolean, invariant: string, detail?: string): asserts condition {
  if (!condition) throw new AssertionError(invariant, detail);
}

/**
 * The value, which must be there. Use `present(array[i])` in a hot loop, where it costs about 1 ns. `at` costs up to 20 ns there, because
 * the engine sees arrays of every kind in one place.
 */
export function present<T>(value: T | undefined, invariant = 'AS1'): T {
  assert(value !== undefined, invariant, 'nothing is there');
  return value;
}

/** The element at the index, which must be there. */
export function at<T>(array: ArrayLike<T>, index: number, invariant = 'AS1'): T {
  const element = array[index];
  assert(element !== undefined, invariant, `there is no element ${index} of ${array.length}`);
  return element;
}
