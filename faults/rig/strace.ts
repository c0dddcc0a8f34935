/** Injects slow and failing system calls into a running process, with strace. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { until } from '../../harness/until.ts';

export function lacksStrace(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'injecting into system calls needs Linux and root';
  return spawnSync('strace', ['-V']).error === undefined
    ? undefined
    : 'strace is not installed (apt-get install strace)';
}

/**
 * @param fault such as `fsync:delay_enter=100000` or `write,pwrite64:error=EIO`
 * @returns a function that ends the fault
 */
export async function injectFault(pid: number, fault: string): Promise<() => Promise<void>> {
  const calls = fault.slice(0, fault.indexOf(':'));
  const child: ChildProcess = spawn(
    'strace',
    ['-f', '-qq', '-p', String(pid), '-e', `trace=${calls}`, '-e', `inject=${fault}`, '-o', '/dev/null'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(`strace: ${said}`);
      return isTraced(pid);
    },
    10_000,
    () => `strace is attached: ${said}`,
  );
  return async () => {
    child.kill('SIGTERM');
    await exited;
  };
}

function isTraced(pid: number): boolean {
  const { stdout } = spawnSync('grep', ['TracerPid', `/proc/${pid}/status`], { encoding: 'utf8' });
  return !/TracerPid:\s*0\s*$/.test(stdout);
}
