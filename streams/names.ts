/**
 * Names of SKUs and locations: which ones are accepted, and how text from outside is shown on a terminal or in a log.
 *
 * A name that people cannot distinguish from another one is not accepted. Holdfast 0.1 accepted some of them. Stock under such a name can
 * still be read, reserved and counted, so reads follow the older rule.
 */
import { present } from './assert.ts';

const SIMPLE_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const CONTROL = /\p{Cc}/u;
/** Control characters (including those of direction), invisible characters, line separators, and the replacement character U+FFFD. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufffd]/u;
/** Those of UNSEEN that a terminal acts on or does not show, and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;

export const NAME_RULE =
  '1 to 64 characters in Unicode form NFC, without control characters, invisible characters and U+FFFD, without a blank at either end, and not . or ..';

/** True if the text may be a name in a stored fact, by the rule of Holdfast 0.1. */
export function isStoredName(text: string): boolean {
  if (SIMPLE_NAME.test(text)) return true;
  if (text.length === 0 || text.length > 128 || text.trim() !== text) return false;
  if (!text.isWellFormed() || CONTROL.test(text) || text.normalize('NFC') !== text) return false;
  return [...text].length <= 64;
}

/** True if the text may be a SKU or a location in new data. */
export function isName(text: string): boolean {
  return SIMPLE_NAME.test(text) || (isStoredName(text) && !UNSEEN.test(text) && text !== '.' && text !== '..');
}

/** Escapes the characters that could steer a terminal or would not be seen on it. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (each) => `\\u{${present(each.codePointAt(0)).toString(16)}}`);
}

/** The same for JSON text. The result is still JSON, and its line ends are kept. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (each) => {
    if (each === '\n') return each;
    return each
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
  });
}
