/** Finds the known name that is most like an unknown one. It takes the fewest edits, and a common beginning counts for it. */

/** A letter of a common beginning weighs as much as two edits, so that ttl is nearer to ttlSeconds than to id. */
const PREFIX_BONUS = 2;

export interface Nearest {
  readonly name: string;
  /** Whether the two are so alike that the one is probably meant by the other. */
  readonly close: boolean;
}

/** Undefined if nothing is known. Of names that are equally near, the first. */
export function nearest(name: string, known: readonly string[]): Nearest | undefined {
  const asked = letters(name);
  let best: { name: string; distance: number } | undefined;
  for (const each of known) {
    const other = letters(each);
    const distance = edits(asked, other) - PREFIX_BONUS * commonPrefix(asked, other);
    if (best === undefined || distance < best.distance) best = { name: each, distance };
  }
  return best === undefined ? undefined : { name: best.name, close: best.distance <= asked.length / 2 };
}

/** Case and signs do not matter, so that ttl_seconds is ttlSeconds. */
function letters(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/** The Levenshtein distance: characters to insert, remove or replace. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
