/**
 * Marks of processes: whether one that left its mark somewhere (a key on NATS, a file) still lives. A number alone is not enough: it is
 * used again, means another process in another container, and answers for a while after the process has died (zombie).
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

let own: string | undefined;

/** Marks this process so that another one of the same machine can tell whether it still lives (Linux). */
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

/** Certainly gone: same machine, boot and process namespace, and no process of that number and start time. */
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
