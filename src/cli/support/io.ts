/** A command's access to the outside: its output streams, the environment, and the exit code that it sets. */

export interface CliIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface CliRun extends CliIo {
  /** 0 good, 1 failed, 2 wrong usage. */
  exitCode: number;
}

/** A usage error that the option parser cannot detect. Ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
