/**
 * Runs another program to its end and reports the outcome.
 *
 * Invariants:
 *  CM1 Every run has a time limit, at which the program gets SIGKILL.
 *  CM2 A failure is a value with the reason in words (not found, time-out, last lines of stderr), never a throw.
 */
import { execFile } from 'node:child_process';

export type CommandOutcome =
  | { readonly ok: true; readonly stdout: string }
  | { readonly ok: false; readonly why: string };

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs: number;
}

// execFile enforces the time limit (CM1), and every failure resolves with its reason (CM2).
export function run(file: string, args: readonly string[], options: CommandOptions): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      {
        env: options.env,
        cwd: options.cwd,
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 16 * 1024 * 1024,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        if (!error) return resolve({ ok: true, stdout });
        if (error.code === 'ENOENT') return resolve({ ok: false, why: 'not found' });
        if (error.killed) return resolve({ ok: false, why: `no end within ${options.timeoutMs / 1000} s` });
        const said = stderr.trim().split('\n').slice(-3).join(' | ');
        return resolve({ ok: false, why: said || error.message });
      },
    );
  });
}
