/** The canonical form of optional texts and of amounts. The content of a fact, which is hashed, is made of it. */

/** A field that an older version does not know. It is hashed only if it is there, so that all other facts keep their hash. */
export function later(value: string | undefined): string {
  return value === undefined ? '' : `\u0001${free(value)}`;
}

export function free(value: string | undefined): string {
  return value === undefined ? '' : `${value.length}:${value}`;
}

/** The canonical form of an amount, without exponent, redundant zeros or negative zero. */
export function amount(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (Number.isSafeInteger(value)) return String(value);
  const written = String(value);
  if (CANONICAL.test(written)) return written;
  const [, sign, whole = '', fraction = '', exponent = '0'] = AMOUNT.exec(written) ?? [];
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  const units = digits.slice(0, Math.max(0, point)).padEnd(point, '0').replace(/^0+/, '');
  const rest = `${'0'.repeat(Math.max(0, -point))}${digits.slice(Math.max(0, point))}`.replace(/0+$/, '');
  const plain = `${units === '' ? '0' : units}${rest === '' ? '' : `.${rest}`}`;
  return plain === '0' ? plain : `${sign}${plain}`;
}

/** Amounts that are already canonical, as nearly every price is. */
const CANONICAL = /^(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/;
/** A decimal string, or a number as JavaScript writes it. */
const AMOUNT = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;
