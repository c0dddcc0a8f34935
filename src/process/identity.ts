/**
 * Identifies processes, so that others can check whether the one that left its mark (in a NATS key or a file) still lives. A PID alone is
 * not enough. It is reused, it means another process in another container, and it still exists while a dead process is a zombie.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

let own: string | undefined;

/** The mark of this process. Another process on the same machine can check with it whether this one lives. Undefined outside Linux. */
export function processIdentity(): string | undefined {
  try {
    own ??= `${hostname()} ${bootId()} ${readlinkSync('/proc/self/ns/pid')} ${process.pid} ${startTime(process.pid)}`;
    return own;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** True only if the process is certainly gone: same machine, boot and PID namespace, but no process with this PID and start time. */
export function isDead(mark: string): boolean {
  const here = processIdentity()?.split(' ');
  const other = mark.split(' ');
  if (here === undefined || other.length !== 5 || other.slice(0, 3).join(' ') !== here.slice(0, 3).join(' '))
    return false;
  try {
    return startTime(Number(other[3])) !== other[4];
  } catch {
    return true;
  }
}

function startTime(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') throw new Error('a zombie is dead');
  return fields[19] ?? '';
}
