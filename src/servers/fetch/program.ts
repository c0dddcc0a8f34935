/**
 * An accepted server program: where it is, which version it reports, and what its environment needs.
 *
 * Invariants:
 *  PR1 A Program exists only for a version at or above FLOOR that has been run once with --version.
 */

import { run } from './command.ts';
import type { ServerKind } from './kind.ts';
import { atLeast, FLOOR, parseVersion, showVersion } from './version.ts';

export interface Program {
  readonly kind: ServerKind;
  readonly path: string;
  readonly version: string;
  /** Added to the server's environment: LD_LIBRARY_PATH for unpacked packages. */
  readonly env: Readonly<Record<string, string>>;
}

export type Trial = { readonly program: Program } | { readonly refused: string };

/** Runs the file with --version and accepts it, or says why not (PR1). */
export async function tryProgram(
  kind: ServerKind,
  path: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Trial> {
  const outcome = await run(path, ['--version'], { env: { ...process.env, ...env }, timeoutMs: 10_000 });
  if (!outcome.ok) return { refused: `${path} does not run: ${outcome.why}` };
  const version = parseVersion(outcome.stdout);
  if (!version) return { refused: `${path} does not say its version: ${JSON.stringify(outcome.stdout.slice(0, 80))}` };
  if (!atLeast(version, FLOOR[kind])) {
    return { refused: `${path} is ${showVersion(version)}, needed is ${showVersion(FLOOR[kind])} or newer` };
  }
  return { program: { kind, path, version: showVersion(version), env } };
}
