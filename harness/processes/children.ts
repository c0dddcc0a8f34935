/** Child processes of a process, such as the servers and nodes of `up`. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { commandLine, parentOf } from '../../src/servers/process-table.ts';

export function childrenOf(parent: number | undefined): { readonly pid: number; readonly args: string }[] {
  const all =
    process.platform === 'linux'
      ? readdirSync('/proc')
      : spawnSync('ps', ['-A', '-o', 'pid='], { encoding: 'utf8' }).stdout.split('\n');
  const pids = all.map(Number).filter((pid) => pid > 0 && parentOf(pid) === parent);
  return pids.map((pid) => ({ pid, args: commandLine(pid) }));
}

/** Returns the pid of a child node. Throws if there is none, so that no other process is killed. */
export function nodeBelow(parent: number | undefined, name: string): number {
  const found = childrenOf(parent).find(({ args }) => args.includes(`--name ${name}`));
  if (found === undefined) throw new Error(`there is no node ${name} below process ${parent}`);
  return found.pid;
}
