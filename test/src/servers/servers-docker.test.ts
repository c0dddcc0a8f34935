/**
 * The Docker way of starting servers, without an engine: a stand-in for the docker command runs the native server as the
 * engine would run the image's, so that what is proven is our side: arguments, signals by container name, clean-up.
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFolder, freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { containerName } from '../../../src/servers/fetch/docker.ts';
import { findServer } from '../../../src/servers/fetch/find.ts';
import type { DockerProgram } from '../../../src/servers/fetch/program.ts';
import { firstAnswer } from '../../../src/servers/first-answer.ts';

/** A docker command for one image. It keeps each container's pid in a file, and logs its own calls. */
async function standIn(kind: 'nats' | 'redis'): Promise<{ program: DockerProgram; calls: () => string[] }> {
  const native = await findServer(kind);
  if (native.how !== 'native') throw new Error('this test needs a native server behind its stand-in');
  const folder = freshFolder('docker');
  const docker = join(folder, 'docker');
  const image = kind === 'nats' ? 'nats:2' : 'redis:7';
  const libraries = native.env.LD_LIBRARY_PATH;
  const script = [
    '#!/bin/bash',
    `cd ${folder}; echo "$*" >> calls; verb=$1; name="\${@: -1}"`,
    libraries === undefined ? '' : `export LD_LIBRARY_PATH=${libraries}`,
    'case $verb in',
    'run)',
    `  while [ "$1" != ${image} ]; do`,
    '    case $1 in --name) name=$2;; --volume) host=$(cut -d: -f1 <<< "$2");; esac; shift',
    '  done; shift',
    '  echo $$ > "$name"',
    '  for file in "$host"/*.conf; do sed -i "s#/data#$host#" "$file"; done',
    `  exec ${native.path} "\${@//\\/data/$host}" ;;`,
    'kill) if [ "$2" = --signal ]; then kill -s "$3" "$(cat "$name")"; else kill -9 "$(cat "$name")"; fi ;;',
    'pause) kill -STOP "$(cat "$name")" ;;',
    'unpause) kill -CONT "$(cat "$name")" ;;',
    'esac',
  ].join('\n');
  writeFileSync(docker, script);
  chmodSync(docker, 0o755);
  const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
  return { program: { how: 'docker', kind, docker, image, version: image.slice(-1) }, calls };
}

it('runs NATS in a container of the data folder, and signals it by that name', async () => {
  const { program, calls } = await standIn('nats');
  const nats = await freshNats({ binaries: { nats: program } });
  const name = containerName('nats', nats.dataDir);
  expect(calls()[0]).toBe(`rm --force ${name}`);
  expect(calls()[1]).toContain(`--publish 127.0.0.1:${nats.port}:${nats.port} `);
  expect(calls()[1]).toContain(`--volume ${nats.dataDir}:/data nats:2 -c /data/nats-server.conf`);
  await nats.pause();
  expect(await firstAnswer(nats.port, '', (text) => text !== '')).toBeUndefined();
  nats.resume();
  await nats.stop();
  expect(nats.alive()).toBe(false);
  await nats.restart();
  await nats.kill();
  const verbs = calls()
    .slice(2)
    .map((call) => call.split(' --')[0]);
  expect(verbs.map((verb) => verb?.split(' ')[0])).toEqual(['pause', 'unpause', 'kill', 'run', 'kill']);
});

it('runs Redis in a container of the data folder', async () => {
  const { program, calls } = await standIn('redis');
  const redis = await freshRedis({ binaries: { redis: program } });
  expect(calls()[1]).toContain('redis:7 /data/redis.conf');
  expect(await firstAnswer(redis.port, 'PING\r\n', (text) => text.length >= 5)).toMatch(/^\+PONG/);
  await redis.stop();
  expect(redis.alive()).toBe(false);
});
