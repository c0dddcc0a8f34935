/** Names, character by character, compared with what the contract says. */
import { describe, expect, test } from 'vitest';
import { isName, isStoredName, printable } from '../../streams/names.ts';

/** Every character of Unicode that can be in a text. */
const CHARACTERS = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));
const EXCLUDED = /[\p{Cc}\p{Default_Ignorable_Code_Point}\ufffd]/u;
/** Letters, marks, digits, punctuation and signs. */
const SEEN = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u;

describe('a name', () => {
  test('has no control character, no ignorable character and no U+FFFD, wherever it stands', () => {
    const excluded = CHARACTERS.filter((each) => EXCLUDED.test(each));
    expect(excluded.length).toBeGreaterThan(4_000);
    expect(excluded.filter((each) => isName(each) || isName(`A${each}B`) || isName(`A${each}`))).toEqual([]);
  });

  test('may have any other letter, mark, digit, punctuation or sign of any script, in form NFC', () => {
    const seen = CHARACTERS.filter((each) => SEEN.test(each) && !EXCLUDED.test(each));
    expect(seen.length).toBeGreaterThan(140_000);
    const wrong = seen.filter((each) => isName(`5${each}5`) !== (`5${each}5`.normalize('NFC') === `5${each}5`));
    expect(wrong).toEqual([]);
  });

  test('has no blank at either end, and may have one within', () => {
    const blanks = CHARACTERS.filter((each) => /\p{Zs}/u.test(each));
    expect(blanks.filter((each) => isName(`${each}A`) || isName(`A${each}`) || isName(each))).toEqual([]);
    expect(isName('A B')).toBe(true);
  });

  test.each([
    ['', false],
    ['.', false],
    ['..', false],
    ['...', true],
    ['a'.repeat(64), true],
    ['a'.repeat(65), false],
    ['🧦'.repeat(64), true],
    ['🧦'.repeat(65), false],
    ['Cafe\u0301', false],
    ['Café', true],
    ['\ud83e', false],
  ])('%j is one: %s', (text, expected) => expect(isName(text)).toBe(expected));

  test('of a stored fact may be any that Holdfast 0.1 accepted', () => {
    for (const name of ['A\u200bB', 'A\ufffdB', '.', 'shop\u2060'])
      expect([isStoredName(name), isName(name)]).toEqual([true, false]);
    expect(printable('A\u200bB')).toBe('A\\u{200b}B');
  });
});
