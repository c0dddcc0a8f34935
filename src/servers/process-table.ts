/** What the system says about a process that may not be ours: whether it runs, what it is, and whose child it is. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** True if the process holds its files and ports, which a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs under another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return process.platform === 'linux' ? linuxStat(pid)?.state !== 'Z' : true;
}

/**
 * True once every thread has stopped, because after SIGSTOP a thread on another core runs on for a moment. Only Linux shows
 * this; elsewhere the answer is always true.
 */
export function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => linuxStat(`${pid}/task/${thread}`)?.state === 'T');
  } catch {
    return true;
  }
}

/** The command line as one text, with spaces between arguments; empty if unknown. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

export function parentOf(pid: number): number | undefined {
  if (process.platform === 'linux') return linuxStat(pid)?.parent;
  try {
    return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).trim());
  } catch {
    return undefined;
  }
}

function linuxStat(pid: number | string): { readonly state: string; readonly parent: number } | undefined {
  try {
    // pid (name, which may hold anything) state ppid …
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
