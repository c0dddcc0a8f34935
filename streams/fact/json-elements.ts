/**
 * Slices a JSON array into the original bytes of its elements, because decoding would round long numbers and lose values that a double
 * cannot hold.
 *
 * Invariant: for bytes that are well-formed JSON in UTF-8 (with or without a byte order mark) and hold an array, the slices are its
 * elements in order, each without the blanks around it. The caller's parser has already checked that the bytes are well-formed.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The elements, as views of the bytes and not copies. */
export function jsonElements(bytes: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let start = -1;
  let end = -1;
  let depth = 0;
  for (let at = bytes.indexOf(OPEN_LIST) + 1; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (isBlank(byte)) continue;
    if (depth === 0 && (byte === COMMA || byte === CLOSE_LIST)) {
      if (start >= 0) elements.push(bytes.subarray(start, end));
      if (byte === CLOSE_LIST) break;
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
    end = at + 1;
  }
  return elements;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Index of the closing quote. All bytes of longer UTF-8 sequences are above ASCII, so none looks like a quote. */
function endOfString(bytes: Uint8Array, open: number): number {
  let at = open + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}
