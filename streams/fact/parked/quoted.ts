/** Texts of any content in the headers of stored messages, percent-encoded and bounded. */

/**
 * Percent-encodes a text of any length and cuts it at the end of a character. A parser's message may end in half of a surrogate pair,
 * which encodeURIComponent would refuse.
 */
export function quoted(text: string, mostBytes: number): string {
  let whole = '';
  for (const character of text.toWellFormed()) {
    const encoded = encodeURIComponent(character);
    if (whole.length + encoded.length > mostBytes) break;
    whole += encoded;
  }
  return whole;
}

/** The inverse of quoted. A text that quoted cannot produce is returned as it is, because anyone may have written it. */
export function unquoted(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
