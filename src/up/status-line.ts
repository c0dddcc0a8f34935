/** One terminal line that shows the state of the system: a fold of counter snapshots, and its text. Pure. */

/** Counters only grow; p99 and lag are momentary values. */
export interface LiveSnapshot {
  readonly atMs: number;
  readonly facts: number;
  readonly atpRequests: number;
  readonly reservations: number;
  /** Latency of ATP requests. */
  readonly atpMsP99: number;
  /** Facts stored and not yet applied. */
  readonly lagMessages: number;
}
export interface LiveLine {
  /** Oldest first. Rates are computed over these. */
  readonly window: readonly LiveSnapshot[];
}

const WINDOW_MS = 5_000;

export const EMPTY_LIVE_LINE: LiveLine = { window: [] };

/**
 * Adds the next snapshot. The window starts again if a counter or the time goes back, because the process was
 * restarted.
 */
export function foldLive(line: LiveLine, next: LiveSnapshot): LiveLine {
  const last = line.window.at(-1);
  if (last === undefined || restarted(last, next)) return { window: [next] };
  const recent = line.window.filter((snapshot) => next.atMs - snapshot.atMs <= WINDOW_MS);
  return { window: [...(recent.length > 0 ? recent : [last]), next] };
}

/** The text of the line, cut to the terminal's width. */
export function formatLive(line: LiveLine, width = 120): string {
  const first = line.window[0];
  const last = line.window.at(-1);
  if (first === undefined || last === undefined) return 'no figures yet'.slice(0, width);
  const seconds = (last.atMs - first.atMs) / 1000;
  const rate = (of: (snapshot: LiveSnapshot) => number) =>
    seconds > 0 ? short(Math.round((of(last) - of(first)) / seconds)) : '–';
  const parts = [
    `facts ${rate((snapshot) => snapshot.facts)}/s`,
    `ATP ${rate((snapshot) => snapshot.atpRequests)}/s`,
    `reservations ${rate((snapshot) => snapshot.reservations)}/s`,
    `p99 ${milliseconds(last.atpMsP99)}`,
    `lag ${short(last.lagMessages)}`,
  ];
  return parts.join('   ').slice(0, Math.max(0, width));
}

function restarted(last: LiveSnapshot, next: LiveSnapshot): boolean {
  if (next.atMs <= last.atMs) return true;
  return next.facts < last.facts || next.atpRequests < last.atpRequests || next.reservations < last.reservations;
}

function short(value: number): string {
  if (value < 10_000) return String(value);
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)}k` : `${(value / 1_000_000).toFixed(1)}M`;
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
