/**
 * 64-bit hashes of text, as two unsigned 32-bit words: cyrb53's mixing (bryc, public domain) with both words kept.
 *
 * Used for identity in memory only (fact ids, content), always two independent hashes together. A collision of one of them shows as a
 * conflict and is parked, so it cannot drop a fact silently. The hashes are not a defence against forgery.
 */
export interface Hash64 {
  readonly hi: number;
  readonly lo: number;
}

/** Hash of the text's UTF-16 code units. Another seed gives an independent hash. */
export function hash64(text: string, seed = 0): Hash64 {
  let h1 = 0xdeadbeef ^ seed;
  let h2 = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    h1 = Math.imul(h1 ^ code, 2654435761);
    h2 = Math.imul(h2 ^ code, 1597334677);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909);
  return { hi: h2 >>> 0, lo: h1 >>> 0 };
}
