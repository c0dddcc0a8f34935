/** Optional texts in the canonical form of a fact, which is hashed as its content. */

/** A field that an older version does not know. It is hashed only if it is there, so that all other facts keep their hash. */
export function later(value: string | undefined): string {
  return value === undefined ? '' : `\u0001${free(value)}`;
}

export function free(value: string | undefined): string {
  return value === undefined ? '' : `${value.length}:${value}`;
}
