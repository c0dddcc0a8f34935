/** Amounts of money in one form, so that equal amounts are equal content however a device writes them. */

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
