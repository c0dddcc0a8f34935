/**
 * The record of a running server in its data folder, and what the next start does with it. An orphan is a server that
 * has outlived the process that started it; the record is how the next start recognises it.
 *
 * Invariants:
 *  OP1 Two servers never run on one data folder, because a second start is refused while the recorded server's own
 *     parent lives.
 *  OP2 A process is taken for the recorded server only if it runs and its command line names both the server program
 *     and the configuration file in this data folder. A pid that was given to another process is left alone.
 *  OP3 An orphan is either adopted (same configuration, and it answers) or ended before anything else starts.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXECUTABLE, type ServerKind } from './fetch/kind.ts';
import { commandLine, isRunning, parentOf } from './process-table.ts';

const FILE = 'server.json';

export interface ServerRecord {
  readonly pid: number;
  readonly parentPid: number;
  readonly port: number;
  readonly monitorPort: number;
  /** Hash of the configuration text that the server runs with. */
  readonly config: string;
}

export function writeRecord(dataDir: string, record: ServerRecord): void {
  writeFileSync(join(dataDir, FILE), `${JSON.stringify(record)}\n`);
}

export function removeRecord(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}

/**
 * Returns the orphan of this data folder, if there is one (OP2). Throws if the server there has a living owner (OP1).
 */
export function findOrphan(kind: ServerKind, dataDir: string, configFile: string): ServerRecord | undefined {
  const record = readRecord(dataDir);
  if (!record || !isRunning(record.pid)) return undefined;
  const command = commandLine(record.pid);
  if (!command.includes(EXECUTABLE[kind]) || !command.includes(configFile)) return undefined;
  if (parentOf(record.pid) === record.parentPid && isRunning(record.parentPid)) {
    const owner = record.parentPid === process.pid ? 'this process' : `process ${record.parentPid}`;
    throw new Error(
      `${dataDir} is in use: ${EXECUTABLE[kind]} (process ${record.pid}) runs on it for ${owner}. ` +
        'Stop that first, or use another data folder.',
    );
  }
  return record;
}

// A record that cannot be read in full names no process (OP2).
function readRecord(dataDir: string): ServerRecord | undefined {
  try {
    const read = JSON.parse(readFileSync(join(dataDir, FILE), 'utf8')) as Partial<Record<keyof ServerRecord, unknown>>;
    const { pid, parentPid, port, monitorPort, config } = read;
    const numbers = [pid, parentPid, port, monitorPort];
    if (!numbers.every((value) => Number.isInteger(value)) || typeof config !== 'string') return undefined;
    return read as ServerRecord;
  } catch {
    // The file is missing, or a crash tore it. Nothing is known then, and a live server still holds its port or its
    // store's lock.
    return undefined;
  }
}
