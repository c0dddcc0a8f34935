/** Dates in the form that `--date-format` describes. Moments without an offset are in UTC. */
import { parseInstant } from '../../../streams/instant.ts';

export const DATE_FORMAT_RULE =
  'made of YYYY or YY, M, D, H (or h with A for AM and PM), mm, ss and Z for the offset, such as "D/M/YYYY H:mm"';

const TOKEN = /YYYY|YY|MM?|DD?|HH?|hh?|mm?|ss?|A|Z/g;
/** What a token stands for. */
const PARTS: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  YY: '(?<year>\\d{2})',
  M: '(?<month>\\d{1,2})',
  D: '(?<day>\\d{1,2})',
  H: '(?<hour>\\d{1,2})',
  h: '(?<hour>\\d{1,2})',
  m: '(?<minute>\\d{2})',
  s: '(?<second>\\d{2})',
  A: '(?<half>AM|PM)',
  Z: '(?<offset>Z|[+-]\\d{2}:\\d{2})',
};

/** Turns a date as written into an instant in ISO 8601; undefined if it is not one. */
export type ReadDate = (text: string) => string | undefined;

/** Makes the reader of a form, or returns undefined if the text is not a form. */
export function dateReader(form: string): ReadDate | undefined {
  const literals = form.replace(TOKEN, '');
  if (/[A-SU-Za-z]/.test(literals) || form.includes('h') !== form.includes('A')) return undefined;
  const tokens = form.match(TOKEN) ?? [];
  const names = tokens.map((token) => (token.startsWith('Y') ? 'Y' : token.charAt(0)));
  if (new Set(names).size < names.length || !['Y', 'M', 'D'].every((name) => names.includes(name))) return undefined;
  const source = form
    .replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
    .replace(TOKEN, (token) => PARTS[token.startsWith('Y') ? token : token.charAt(0)] ?? token);
  const pattern = new RegExp(`^${source}$`, 'i');
  return (text) => {
    const parts = pattern.exec(text)?.groups;
    return parts === undefined ? undefined : instantOf(parts);
  };
}

function instantOf({
  year = '',
  month = '',
  day = '',
  hour,
  minute,
  second,
  half,
  offset,
}: Record<string, string | undefined>) {
  const date = `${year.padStart(4, '20')}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const hours = half === undefined ? Number(hour ?? 0) : hourOfDay(Number(hour), half);
  const time = `${String(hours).padStart(2, '0')}:${minute ?? '00'}:${second ?? '00'}`;
  const instant = `${date}T${time}${offset?.toUpperCase() ?? 'Z'}`;
  return parseInstant(instant) === undefined ? undefined : instant;
}

/** NaN, which no instant has, unless the hour is 1 to 12. */
function hourOfDay(hour: number, half: string): number {
  if (hour < 1 || hour > 12) return Number.NaN;
  return (hour % 12) + (half.toUpperCase() === 'PM' ? 12 : 0);
}

const STAMP = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::(\d{2}))?Z?$/;

/** The form without `--date-format`, such as 2010-12-01 08:26:00. */
export const isoDate: ReadDate = (text) => {
  const match = STAMP.exec(text);
  if (match === null) return undefined;
  const instant = `${match[1]}T${match[2]}:${match[3] ?? '00'}Z`;
  return parseInstant(instant) === undefined ? undefined : instant;
};
