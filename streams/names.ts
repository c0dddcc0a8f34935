/**
 * Names of SKUs and locations: which are taken, and how text from outside is shown on a terminal or in a log.
 *
 * A name that people cannot tell from another one is no name. 0.1 took some; what its facts brought in can still be read, reserved and
 * counted, so reading goes by the older rule.
 */
import { present } from './assert.ts';

const SIMPLE_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const CONTROL = /\p{Cc}/u;
/** Controls of any kind (of direction too), what is drawn as nothing, separators of lines, and the mark of what could not be read. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufffd]/u;
/** Of those, what a terminal acts on or does not show; half a surrogate pair too. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;

export const NAME_RULE =
  '1 to 64 characters in Unicode form NFC, without control characters, invisible characters and U+FFFD, without a blank at either end, and not . or ..';

/** What may be a name in a stored fact: the rule of 0.1. */
export function isStoredName(text: string): boolean {
  if (SIMPLE_NAME.test(text)) return true;
  if (text.length === 0 || text.length > 128 || text.trim() !== text) return false;
  if (!text.isWellFormed() || CONTROL.test(text) || text.normalize('NFC') !== text) return false;
  return [...text].length <= 64;
}

/** SKU and location, in whatever is new. */
export function isName(text: string): boolean {
  return SIMPLE_NAME.test(text) || (isStoredName(text) && !UNSEEN.test(text) && text !== '.' && text !== '..');
}

/** With escapes for what must not steer a terminal, or would not be seen on it. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (each) => `\\u{${present(each.codePointAt(0)).toString(16)}}`);
}

/** The same for JSON text, which stays JSON; its line ends stay too. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (each) => {
    if (each === '\n') return each;
    return each
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
  });
}
