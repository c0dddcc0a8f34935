/** Numbers, moments and durations in a form for people. The functions are total: an unknown value is an en dash. */
export const UNKNOWN = '–';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short' });

/** Uses a true minus sign, so that negative stock is not read as a dash. */
export function units(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : whole.format(value).replace('-', '−');
}
/** For large figures: whole below 100,000, then as 123.4K. */
export function brief(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return (Math.abs(value) < 100_000 ? whole : short).format(value).replace('-', '−');
}
export function signed(value: number): string {
  return value > 0 ? `+${whole.format(value)}` : units(value);
}
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return UNKNOWN;
  return (Math.abs(perSecond) < 100 ? tenth : whole).format(perSecond);
}
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? UNKNOWN : `${tenth.format(share * 100)} %`;
}
export function millis(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 1_000 ? `${tenth.format(ms)} ms` : `${tenth.format(ms / 1_000)} s`;
}

/** A duration such as 14 s, 3 min, 2 h or 5 d. */
export function span(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const positive = Math.max(0, seconds);
  if (positive < 90) return `${Math.round(positive)} s`;
  if (positive < 90 * 60) return `${Math.round(positive / 60)} min`;
  if (positive < 36 * 3_600) return `${tenth.format(positive / 3_600)} h`;
  return `${whole.format(positive / 86_400)} d`;
}
export function ago(iso: string | null | undefined, nowMs: number): string {
  const at = instant(iso);
  if (at === undefined) return UNKNOWN;
  // Clocks of devices and of this browser differ, so a moment slightly ahead counts as now.
  return at > nowMs - 1_500 ? 'now' : `${span((nowMs - at) / 1_000)} ago`;
}
export function time(at: string | number | null | undefined): string {
  const ms = typeof at === 'number' ? at : instant(at);
  return ms === undefined ? UNKNOWN : clock.format(ms);
}
/** Shows the day too, unless it is today. */
export function moment(at: string | null | undefined, nowMs: number): string {
  const ms = instant(at);
  if (ms === undefined) return UNKNOWN;
  const today = day.format(ms) === day.format(nowMs);
  return today ? clock.format(ms) : `${day.format(ms)} ${clock.format(ms)}`;
}
/** Turns `negative_stock` into "Negative stock". */
export function words(name: string): string {
  const spaced = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${units(count)} ${count === 1 ? one : many}`;
}

function instant(iso: string | null | undefined): number | undefined {
  if (iso === null || iso === undefined) return undefined;
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? undefined : ms;
}
