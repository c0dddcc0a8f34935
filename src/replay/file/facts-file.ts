/**
 * The format `facts`: one fact as JSON per line (NDJSON), or one JSON array of facts, read piece by piece.
 *
 * Anything that is not a JSON object becomes a refusal with the line in which it begins. A JSON object goes to the server
 * unchanged. The server judges it and parks what it cannot read.
 */
import { LIMITS } from '../../../config/limits.ts';
import type { Entry, SentFact } from '../entry.ts';

/** The longest line or element, in characters. A longer one is refused without being kept. */
const MAX_CHARS = LIMITS.bodyBytes;
const BLANK = /\s/;

/**
 * Reads facts from pieces of text, which may be cut anywhere.
 * @param array true if the text begins with `[`
 */
export async function* readFactsText(pieces: AsyncIterable<string>, array: boolean): AsyncGenerator<Entry> {
  const reader = array ? new ArrayReader() : new LineReader();
  for await (const piece of pieces) yield* reader.read(piece);
  yield* reader.end();
}

/** Text that is kept until its end is seen, up to MAX_CHARS. */
class Held {
  #text = '';
  #tooLong = false;

  add(text: string): void {
    if (this.#text.length + text.length > MAX_CHARS) this.#tooLong = true;
    this.#text = this.#tooLong ? '' : this.#text + text;
  }

  get blank(): boolean {
    return !this.#tooLong && this.#text.trim() === '';
  }

  take(place: number): Entry {
    const entry = this.#tooLong
      ? ({ kind: 'refused', place, message: `is longer than ${MAX_CHARS} characters` } as const)
      : readOne(this.#text, place);
    this.clear();
    return entry;
  }

  clear(): void {
    this.#text = '';
    this.#tooLong = false;
  }
}

class LineReader {
  readonly #held = new Held();
  #line = 1;

  *read(piece: string): Generator<Entry> {
    let from = 0;
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', from)) {
      this.#held.add(piece.slice(from, end));
      yield* this.end();
      this.#line++;
      from = end + 1;
    }
    this.#held.add(piece.slice(from));
  }

  *end(): Generator<Entry> {
    if (this.#held.blank) this.#held.clear();
    else yield this.#held.take(this.#line);
  }
}

/** Cuts an array into its elements by depth alone, so a wrong element costs only itself. */
class ArrayReader {
  readonly #held = new Held();
  #line = 1;
  /** Line in which the element begins; undefined before that. */
  #startedAt: number | undefined;
  /** 0 outside the array, 1 between and in plain elements, more inside a nested element. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  #afterComma = false;
  #closed = false;
  #stray = false;

  *read(piece: string): Generator<Entry> {
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const char = piece.charAt(i);
      if (char === '\n') this.#line++;
      if (this.#inString) this.#string(char);
      else if (this.#depth === 0) {
        yield* this.#outside(char);
        from = i + 1;
      } else if (this.#depth === 1 && (char === ',' || char === ']')) {
        this.#held.add(piece.slice(from, i));
        yield* this.#element(char);
        from = i + 1;
      } else this.#inside(char);
    }
    if (this.#depth > 0) this.#held.add(piece.slice(from));
  }

  *end(): Generator<Entry> {
    if (this.#closed && this.#depth === 0) return;
    yield { kind: 'refused', place: this.#line, message: 'is the end of the file, but the array is not closed' };
  }

  #string(char: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (char === '\\') this.#escaped = true;
    else if (char === '"') this.#inString = false;
  }

  #inside(char: string): void {
    if (this.#startedAt === undefined && !BLANK.test(char)) this.#startedAt = this.#line;
    if (char === '"') this.#inString = true;
    else if (char === '{' || char === '[') this.#depth++;
    else if (char === '}' || char === ']') this.#depth = Math.max(1, this.#depth - 1);
  }

  *#outside(char: string): Generator<Entry> {
    if (BLANK.test(char)) return;
    if (char === '[' && !this.#closed) this.#depth = 1;
    else if (!this.#stray) {
      this.#stray = true;
      yield { kind: 'refused', place: this.#line, message: 'goes on after the end of the array' };
    }
  }

  *#element(end: ',' | ']'): Generator<Entry> {
    const wanted = end === ',' || this.#afterComma;
    if (!this.#held.blank) yield this.#held.take(this.#startedAt ?? this.#line);
    else if (wanted) yield { kind: 'refused', place: this.#line, message: 'has nothing where a fact should be' };
    this.#held.clear();
    this.#startedAt = undefined;
    this.#afterComma = end === ',';
    if (end === ']') {
      this.#depth = 0;
      this.#closed = true;
    }
  }
}

function readOne(text: string, place: number): Entry {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: 'refused', place, message: `is no JSON: ${(error as Error).message}` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { kind: 'refused', place, message: 'is no JSON object' };
  }
  return { kind: 'fact', place, fact: value as SentFact };
}
