/**
 * Judges parked_facts: while facts of a location wait to be resubmitted or dismissed. The owner of the location's home partition judges,
 * by counts that every node reads from PARKED (actors/parked/causes.ts).
 */
import { ANOMALY_BOUNDS } from '../../config/anomalies.ts';
import type { ParkedCause, ParkedCauses } from '../ports/parked.ts';
import type { Alarms } from './detect/alarms.ts';
import { counted } from './detect/context.ts';

/** @param seen the version of the causes up to which changes were judged before; −1 judges all. Returns the version judged now */
export function judgeParked(alarms: Alarms, parked: ParkedCauses, seen: number): number {
  const { version } = parked;
  // Until all are read, a cause that is not known yet may still stand.
  if (version === undefined || version === seen) return seen;
  const causes = parked.of(alarms.partition);
  for (const { cause } of alarms.ofKind('parked_facts')) if (!causes.has(cause)) alarms.clear('parked_facts', cause);
  let judged = 0;
  for (const [name, cause] of causes) {
    judged += 1;
    if (judged > ANOMALY_BOUNDS.openPerKind) break;
    if (cause.changed > seen) raise(alarms, name, cause);
  }
  return version;
}

/** A name as an argument of a shell, so that the command can be pasted. */
function quoted(name: string): string {
  return /^[\w.:@-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

function raise(alarms: Alarms, name: string, { location, device, facts, reasons, since }: ParkedCause): void {
  const [of, option] =
    location !== undefined
      ? [location, ` --location ${quoted(location)}`]
      : device !== undefined
        ? [`device ${device}`, ` --device ${quoted(device)}`]
        : ['unknown origin', ''];
  const byReason = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} ${reason}`);
  alarms.raise('parked_facts', name, {
    location,
    at: since,
    episode: since,
    severity: 'warning',
    tell: () => ({
      says: `${counted(facts, 'fact')} of ${of} could not be counted (${byReason.join(', ')}). Resubmit, correct or dismiss: holdfast parked list${option}`,
      figures: { ...(device === undefined ? {} : { device }), facts, oldest: since },
    }),
  });
}
