/**
 * Failpoints: places where a test may kill the process, as kill -9 would. They are off unless HOLDFAST_FAILPOINT names one at start, as
 * `name@count`. The process then dies when it passes the place for the count-th time.
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
  'event-published',
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

let armed: Failpoint | undefined;
let left = 0;

/** @param text `name@count`; undefined or empty arms none */
export function armFailpoint(text: string | undefined): void {
  if (text === undefined || text === '') return;
  const [name, count] = text.split('@');
  if (!(FAILPOINTS as readonly string[]).includes(name ?? ''))
    throw new Error(`HOLDFAST_FAILPOINT is "${text}", but must be one of ${FAILPOINTS.join(', ')}, and @count`);
  armed = name as Failpoint;
  left = Number(count ?? 1);
}

/** Kills the process if this failpoint is armed and its count is reached. */
export function failpoint(name: Failpoint): void {
  if (armed === undefined || armed !== name) return;
  left -= 1;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
}
