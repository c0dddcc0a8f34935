/**
 * Servers in containers: the last way, for machines with a Docker engine and neither server.
 *
 * Limits, against a native server: the pid is that of the attached `docker run`; signals go through the engine (some
 * 50 ms, and pause is its freezer); a container that an ended parent left behind is removed at the next start, never
 * taken over; on Docker Desktop an fsync is worth what the virtual machine's disk makes of it. Data folders that the
 * engine's host cannot see do not work (a remote engine).
 *
 * Invariant: one container name for each data folder, so that no two containers ever have the same store.
 */

import { createHash } from 'node:crypto';
import { run } from './command.ts';
import type { ServerKind } from './kind.ts';
import type { DockerProgram } from './program.ts';

const IMAGES: Readonly<Record<ServerKind, { readonly image: string; readonly version: string }>> = {
  nats: { image: 'nats:2', version: '2' },
  redis: { image: 'redis:7', version: '7' },
};

/** The folder that a data folder has inside its container. */
export const CONTAINER_DATA = '/data';

export async function findDocker(
  kind: ServerKind,
  docker: string | undefined,
): Promise<{ readonly program: DockerProgram } | { readonly refused: string }> {
  if (!docker) return { refused: 'no docker on PATH' };
  const info = await run(docker, ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 10_000 });
  if (!info.ok) return { refused: `no Docker engine: ${info.why}` };
  return { program: { how: 'docker', kind, docker, ...IMAGES[kind] } };
}

export function containerName(kind: ServerKind, dataDir: string): string {
  return `holdfast-${kind}-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
}

/** The arguments of `docker run` for a server that listens on these ports inside and, on loopback, outside. */
export function dockerRunArgs(
  program: DockerProgram,
  dataDir: string,
  ports: readonly number[],
  serverArgs: readonly string[],
): string[] {
  const user = process.getuid && process.getgid ? ['--user', `${process.getuid()}:${process.getgid()}`] : [];
  const published = ports.flatMap((port) => ['--publish', `127.0.0.1:${port}:${port}`]);
  const name = containerName(program.kind, dataDir);
  const mount = ['--volume', `${dataDir}:${CONTAINER_DATA}`];
  return ['run', '--rm', '--name', name, ...user, ...published, ...mount, program.image, ...serverArgs];
}

/** Removes what an ended parent left behind under this data folder's name. */
export async function removeContainer(program: DockerProgram, dataDir: string): Promise<void> {
  await run(program.docker, ['rm', '--force', containerName(program.kind, dataDir)], { timeoutMs: 30_000 });
}
