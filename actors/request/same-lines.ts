/** Equal lines of a request for ATP, which are computed once (RR3). */
import type { AtpRequest } from '../../streams/contract/stock.ts';

export type AskedLine = AtpRequest['lines'][number];

/** A line, and the indexes of all equal lines in the request. */
export interface SameLines {
  readonly line: AskedLine;
  readonly indexes: number[];
}

export function sameLines(lines: readonly AskedLine[]): Iterable<SameLines> {
  const all = new Map<string, SameLines>();
  lines.forEach((line, index) => {
    // Names contain no line feed, so it separates them.
    const content = line.locations === undefined ? line.sku : [line.sku, ...line.locations].join('\n');
    const same = all.get(content);
    if (same === undefined) all.set(content, { line, indexes: [index] });
    else same.indexes.push(index);
  });
  return all.values();
}
