/** What a command gets of the world: where it writes, what it reads settings from, and the exit code that it leaves. */

export interface CliIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface CliRun extends CliIo {
  /** 0 good, 1 failed, 2 wrong usage. */
  exitCode: number;
}

/** A person's or a script's mistake that the parser of options cannot see: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
