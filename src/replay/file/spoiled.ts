/**
 * Recognises SKUs that a spreadsheet has spoiled when it opened or saved a file. The true SKU is lost, so nothing is repaired. A SKU may
 * really look like this; `--as-is` takes it then.
 */

const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const SPOILED: readonly (readonly [RegExp, string])[] = [
  [/^[+-]?\d+(?:[.,]\d+)?E[+-]\d{2,3}$/i, 'a long number as a spreadsheet shortens it'],
  [/^\d+\.0$/, 'a number with the decimal that a spreadsheet or a table program adds'],
  [/^#(?:#+|N\/A|NV|N\/D|[\p{Lu}\d/]+[!?])$/iu, 'an error of a spreadsheet'],
  [/^=/, 'a formula of a spreadsheet'],
  [/^'/, 'text with the apostrophe that a spreadsheet puts before it'],
  [new RegExp(`^(?:\\d{1,2}-(?:${MONTHS})|(?:${MONTHS})-\\d{2})$`, 'i'), 'a date that a spreadsheet has made of it'],
];

/** Says what the SKU looks like; undefined if no spreadsheet has spoiled it. */
export function spoiledBy(sku: string): string | undefined {
  return SPOILED.find(([form]) => form.test(sku))?.[1];
}
