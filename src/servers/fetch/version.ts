/**
 * Versions of server programs, read from the output of the program itself.
 *
 * Invariants:
 *  FV1 A version is believed only if the program printed it, never from a package's name.
 *  FV2 Output that cannot be parsed gives no version (undefined). The caller then looks further and never guesses.
 */
import type { ServerKind } from './kind.ts';

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/**
 * The oldest accepted releases. nats-server 2.12 has the stream-level guarantees on which the journal's fence and
 * `sync_interval: always` rest. redis-server 7 has the functions and the `set-proc-title`/ACL defaults that
 * redis.conf uses.
 */
export const FLOOR: Readonly<Record<ServerKind, Version>> = {
  nats: { major: 2, minor: 12, patch: 0 },
  redis: { major: 7, minor: 0, patch: 0 },
};

/**
 * Reads "nats-server: v2.15.1", "Redis server v=7.0.15 sha=…", "v2.12.0-RC.3" or a bare "8.2" (FV1); undefined for
 * anything else (FV2).
 */
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
