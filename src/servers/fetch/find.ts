/**
 * Finds nats-server and redis-server, or gets them without touching the system.
 *
 * The order is PATH, the project's own ignored folder, then packages of a Debian-like system unpacked into that folder. If
 * none is accepted, the error says what was tried and what to install.
 *
 * Invariants:
 *  FD1 Nothing outside the folder is written; no server program is installed into the system.
 *  FD2 Every program that is returned has been run and has reported an accepted version (program.ts).
 *  FD3 Several processes may search with the same folder at the same time (unpacked.ts).
 */

import { join } from 'node:path';
import { packageRoot } from '../../process/package-root.ts';
import { installAdvice } from './advice.ts';
import { fetchFromApt } from './apt.ts';
import { EXECUTABLE, type ServerKind } from './kind.ts';
import { executables } from './path-search.ts';
import { type Program, tryProgram } from './program.ts';
import { tryUnpacked } from './unpacked.ts';

export interface FindOptions {
  /** Where fetched servers are kept. Default: .servers in Holdfast's own folder (FD1). */
  readonly folder?: string;
  /** The environment whose PATH is searched, for servers and for apt-get and dpkg-deb. Default: process.env. */
  readonly env?: NodeJS.ProcessEnv;
  /** Receives one line for each step that takes time. Default: silence. */
  readonly report?: (line: string) => void;
}

// Every candidate is tried by running it, wherever it comes from (FD2).
export async function findServer(kind: ServerKind, options: FindOptions = {}): Promise<Program> {
  const env = options.env ?? process.env;
  const folder = options.folder ?? join(packageRoot(), '.servers');
  const report = options.report ?? (() => undefined);
  const refusals: string[] = [];

  for (const path of executables(EXECUTABLE[kind], env)) {
    const trial = await tryProgram(kind, path);
    if ('program' in trial) return trial.program;
    refusals.push(trial.refused);
  }
  if (refusals.length === 0) refusals.push(`no ${EXECUTABLE[kind]} on PATH`);

  const kept = await tryUnpacked(kind, folder);
  if ('program' in kept) return kept.program;
  refusals.push(kept.refused);

  const fetched = await fetchFromApt(kind, { folder, report, tool: (name) => executables(name, env)[0] });
  if ('program' in fetched) return fetched.program;
  refusals.push(fetched.refused);
  throw new Error(installAdvice(kind, refusals));
}
