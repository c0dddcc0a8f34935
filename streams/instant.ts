/**
 * Converts instants between ISO 8601 text with an offset and whole microseconds since 1970-01-01T00:00:00Z.
 *
 * The unit is microseconds because devices send stamps finer than a millisecond, which must still compare as instants. A double counts
 * microseconds exactly until the year 2255. Finer digits are cut off.
 */
const MICROS_PER_SECOND = 1_000_000;
const MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND;
const FIRST_YEAR = 1900;
const LAST_YEAR = 2200;

/** The accepted form, for messages about a wrong instant. */
export const INSTANT_RULE = `an ISO 8601 date and time with offset, years ${FIRST_YEAR} to ${LAST_YEAR}, such as 2026-11-24T09:15:00Z`;

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?)$/;

/** Microseconds since 1970, or undefined if the text is not an instant. */
export function parseInstant(text: string): number | undefined {
  // A fact's stamp is read three times in a row, to check, hash and fold it, so the last result is kept.
  if (text !== lastText) {
    lastMicros = readInstant(text);
    lastText = text;
  }
  return lastMicros;
}

let lastText = '';
let lastMicros: number | undefined;

function readInstant(text: string): number | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const year = Number(match[1]);
  const month = Number(match[2]);
  const day = Number(match[3]);
  const hour = Number(match[4]);
  const minute = Number(match[5]);
  const second = match[6] === undefined ? 0 : Number(match[6]);
  if (hour > 23 || minute > 59 || second > 59 || !isDay(year, month, day)) return undefined;
  const micros = match[7] === undefined ? 0 : Number(match[7].slice(0, 6).padEnd(6, '0'));
  let offsetMinutes = 0;
  if (match[9] !== undefined) {
    const offsetHour = Number(match[10]);
    const offsetMinute = match[11] === undefined ? 0 : Number(match[11]);
    if (offsetHour > 23 || offsetMinute > 59) return undefined;
    offsetMinutes = (offsetHour * 60 + offsetMinute) * (match[9] === '-' ? -1 : 1);
  }
  const seconds = hour * 3600 + (minute - offsetMinutes) * 60 + second;
  return daysSince1970(year, month, day) * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + micros;
}

/**
 * A date by which something is promised. It is an instant, or a bare date, which means the end of that day in UTC, so that "by the 1st"
 * includes what arrives on the 1st.
 */
export function parseDateOrInstant(text: string): number | undefined {
  return isDate(text) ? endOfDay(text) : parseInstant(text);
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

/** Whether the text is a bare date, such as 2026-12-01. */
export function isDate(text: string): boolean {
  const match = DATE.exec(text);
  return match !== null && isDay(Number(match[1]), Number(match[2]), Number(match[3]));
}

/**
 * The last microsecond of a day, in microseconds since 1970.
 * @param day a bare date
 * @param timezone IANA name; UTC if it is undefined
 */
export function endOfDay(day: string, timezone?: string): number {
  const [, year, month, date] = DATE.exec(day) ?? [];
  const midnight = (daysSince1970(Number(year), Number(month), Number(date)) + 1) * MICROS_PER_DAY;
  if (timezone === undefined) return midnight - 1;
  // The offset at midnight depends on the instant of midnight, so a first guess gives the second.
  const guess = midnight - offsetAt(midnight, timezone);
  return midnight - offsetAt(guess, timezone) - 1;
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a time zone are ahead of UTC at an instant, in microseconds. */
function offsetAt(micros: number, timezone: string): number {
  let format = FORMATS.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
    FORMATS.set(timezone, format);
  }
  const name = format.formatToParts(micros / 1000).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const match = /^GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(name);
  if (match === null) return 0;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return (match[1] === '-' ? -seconds : seconds) * MICROS_PER_SECOND;
}

/** The instant as ISO 8601 text in UTC, with 3 fraction digits, or 6 if it needs them. */
export function formatInstant(micros: number): string {
  // All answers within a millisecond carry the same instant, so the last text is kept.
  if (micros !== lastFormatted) {
    lastFormat = written(micros);
    lastFormatted = micros;
  }
  return lastFormat;
}

let lastFormatted = Number.NaN;
let lastFormat = '';

function written(micros: number): string {
  const text = new Date(Math.floor(micros / 1000)).toISOString();
  const rest = micros - Math.floor(micros / 1000) * 1000;
  return rest === 0 ? text : `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

function isDay(year: number, month: number, day: number): boolean {
  if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 || day < 1) return false;
  if (month === 2) return day <= (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28);
  return day <= (month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31);
}

/** Days from 1970-01-01, proleptic Gregorian: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
