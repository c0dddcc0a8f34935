/**
 * Growing columns of numbers, words kept once, and a table of hashes: what the index of parked facts is made of. A million facts as objects
 * would take three times as much memory.
 */
import { randomBytes } from 'node:crypto';
import { at } from '../../streams/assert.ts';
import { mixed } from '../idempotency/fact-ids.ts';

const FIRST_LENGTH = 1_024;

type Numbers = Uint8Array | Uint32Array | Float64Array;

export class Column {
  #values: Numbers;
  readonly #make: (length: number) => Numbers;

  constructor(make: (length: number) => Numbers) {
    this.#make = make;
    this.#values = make(FIRST_LENGTH);
  }

  get(index: number): number {
    return at(this.#values, index);
  }

  set(index: number, value: number): void {
    if (index >= this.#values.length) {
      const grown = this.#make(2 * this.#values.length);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[index] = value;
  }
}

export const bytes = (): Column => new Column((length) => new Uint8Array(length));
export const words = (): Column => new Column((length) => new Uint32Array(length));
/** For sequences and microseconds. */
export const numbers = (): Column => new Column((length) => new Float64Array(length));

/** Texts by number. 0 stands for no text. */
export class Texts {
  readonly #texts: (string | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();

  add(text: string | undefined): number {
    if (text === undefined) return 0;
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#texts.length;
      this.#texts.push(text);
      this.#numbers.set(text, number);
    }
    return number;
  }

  /** The number of a text; undefined if it was never added. */
  find(text: string): number | undefined {
    return this.#numbers.get(text);
  }

  text(number: number): string | undefined {
    return this.#texts[number];
  }
}

/**
 * Row numbers by the hash of some of the row's words. Linear probing; rows are never removed. The hash depends on a key of this process, so
 * nobody can choose rows that collide.
 */
export class RowTable {
  readonly #columns: readonly Column[];
  readonly #key = new DataView(randomBytes(4).buffer).getUint32(0);
  /** An entry is its row + 1. 0 is an empty slot. */
  #slots = new Uint32Array(FIRST_LENGTH);
  #used = 0;

  constructor(columns: readonly Column[]) {
    this.#columns = columns;
  }

  /** The row with these words in the columns. */
  find(values: readonly number[]): number | undefined {
    const entry = at(this.#slots, this.#slotOf(values));
    return entry === 0 ? undefined : entry - 1;
  }

  /** Puts a row in the place of the one with the same words. */
  put(row: number): void {
    if (this.#used * 10 >= this.#slots.length * 7) this.#grow();
    const slot = this.#slotOf(this.#columns.map((column) => column.get(row)));
    if (this.#slots[slot] === 0) this.#used += 1;
    this.#slots[slot] = row + 1;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (const entry of old) {
      if (entry !== 0) this.#slots[this.#slotOf(this.#columns.map((column) => column.get(entry - 1)))] = entry;
    }
  }

  /** The slot of the row with these words, or the empty one where it would be. */
  #slotOf(values: readonly number[]): number {
    const mask = this.#slots.length - 1;
    let hash = this.#key;
    for (const value of values) hash = mixed(hash ^ value);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = at(this.#slots, slot);
      if (entry === 0 || this.#columns.every((column, i) => column.get(entry - 1) === values[i])) return slot;
    }
  }
}
