import type { ServerKind } from './kind.ts';
/**
 * Versions of server programs, read from what the program itself prints.
 *
 * Invariants:
 *  FV1 A version is believed only when the program printed it, never from a package's name.
 *  FV2 What cannot be parsed is no version (undefined): the caller then looks further, it never guesses.
 */

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/**
 * The oldest releases that do. nats-server 2.12: the stream-level guarantees that the journal's fence and
 * `sync_interval: always` rest on. redis-server 7: functions and `set-proc-title`/ACL defaults that redis.conf uses.
 */
export const FLOOR: Readonly<Record<ServerKind, Version>> = {
  nats: { major: 2, minor: 12, patch: 0 },
  redis: { major: 7, minor: 0, patch: 0 },
};

/** Reads "nats-server: v2.15.1", "Redis server v=7.0.15 sha=…", "v2.12.0-RC.3" or a bare "8.2" (FV1). */
// FV2.
export function parseVersion(printed: string): Version | undefined {
  const found = /(?:^|[\sv=:])(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?![\d.])/.exec(printed);
  if (!found) return undefined;
  return { major: Number(found[1]), minor: Number(found[2]), patch: Number(found[3] ?? 0) };
}

export function atLeast(version: Version, floor: Version): boolean {
  if (version.major !== floor.major) return version.major > floor.major;
  if (version.minor !== floor.minor) return version.minor > floor.minor;
  return version.patch >= floor.patch;
}

export function showVersion(version: Version): string {
  return `${version.major}.${version.minor}.${version.patch}`;
}
