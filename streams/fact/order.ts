/** Which of two facts is the later one, where the later one wins. */

/** When a fact counts, in microseconds since 1970. `own` is what its clock said, if the clock rule moved it. */
interface Moment {
  readonly at: number;
  readonly own?: number | undefined;
}

/** Positive if `a` is later than `b`. */
export function compareMoments(a: Moment, b: Moment): number {
  return a.at - b.at || (a.own ?? a.at) - (b.own ?? b.at);
}

/** Compares by UTF-8 bytes, which is code point order. JavaScript compares UTF-16 units instead. */
export function compareUtf8(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  if (i === a.length || i === b.length) return a.length - b.length;
  const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
  // A surrogate encodes a code point above U+FFFF, which is greater than that of any other unit.
  const [high, low] = [isSurrogate(x), isSurrogate(y)];
  return high === low ? x - y : high ? 1 : -1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
