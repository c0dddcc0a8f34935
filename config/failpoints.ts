/**
 * Failpoints: places where a test may kill the process, as kill -9 would. Off unless HOLDFAST_FAILPOINT names one when the process
 * starts, as `name@count`: the count-th time the place is passed.
 */
export const FAILPOINTS = [
  'fact-received',
  'fact-applied',
  'before-append',
  'append-stored',
  'decision-folded',
  'snapshot-half-written',
  'snapshot-before-swap',
  'mid-replay',
  'claimed',
  'fenced',
  'baseline-half-written',
  'baseline-before-swap',
  'trim-announced',
  'trim-half-done',
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

let armed: Failpoint | undefined;
let left = 0;

/** @param text `name@count`, or undefined for none */
export function armFailpoint(text: string | undefined): void {
  if (text === undefined || text === '') return;
  const [name, count] = text.split('@');
  if (!(FAILPOINTS as readonly string[]).includes(name ?? ''))
    throw new Error(`HOLDFAST_FAILPOINT is "${text}", but must be one of ${FAILPOINTS.join(', ')}, and @count`);
  armed = name as Failpoint;
  left = Number(count ?? 1);
}

/** Passes the place, or dies there. */
export function failpoint(name: Failpoint): void {
  if (armed === undefined || armed !== name) return;
  left -= 1;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
}
