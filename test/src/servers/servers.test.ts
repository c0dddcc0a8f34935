/** Local servers: found in order, started, paused, killed, restarted, and taken over from a parent that was killed. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { connect as connectNats } from '@nats-io/transport-node';
import { createClient } from 'redis';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { freshFolder, freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { packageRoot } from '../../../src/process/package-root.ts';
import { candidateSources, neededLibraries } from '../../../src/servers/fetch/apt.ts';
import { parseDeb822, parseOneLine, showAptSource } from '../../../src/servers/fetch/apt-sources.ts';
import { findServer } from '../../../src/servers/fetch/find.ts';
import type { Program } from '../../../src/servers/fetch/program.ts';
import { withLock } from '../../../src/servers/fetch/unpacked.ts';
import { atLeast, FLOOR, parseVersion } from '../../../src/servers/fetch/version.ts';
import { firstAnswer } from '../../../src/servers/first-answer.ts';
import { startNats } from '../../../src/servers/nats.ts';
import { isRunning } from '../../../src/servers/process-table.ts';

const NOWHERE = { PATH: '' };

describe('versions', () => {
  it.each([
    ['nats-server: v2.15.1', '2.15.1', 'nats', true],
    ['nats-server: v2.12.0', '2.12.0', 'nats', true],
    ['nats-server: v2.12.0-RC.3', '2.12.0', 'nats', true],
    ['nats-server: v2.11.9', '2.11.9', 'nats', false],
    ['nats-server: v2.9.10', '2.9.10', 'nats', false],
    ['nats-server: v3.0.0', '3.0.0', 'nats', true],
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1', '7.0.15', 'redis', true],
    ['Redis server v=6.2.14 sha=0:0', '6.2.14', 'redis', false],
    ['Redis server v=8.2 sha=0:0', '8.2.0', 'redis', true],
  ] as const)('%s is %s', (printed, version, kind, willDo) => {
    const [major, minor, patch] = version.split('.').map(Number);
    expect(parseVersion(printed)).toEqual({ major, minor, patch });
    expect(atLeast(parseVersion(printed) ?? { major: 0, minor: 0, patch: 0 }, FLOOR[kind])).toBe(willDo);
  });

  it.each(['', 'nats-server: development', 'command not found', '1.2.3.4 is an address'])('%j is none', (printed) => {
    expect(parseVersion(printed)).toBeUndefined();
  });
});

describe('where a server is looked for', () => {
  /** A folder with a program that prints this text as its version. */
  function pathWith(printed: string): string {
    const folder = freshFolder('path');
    writeFileSync(join(folder, 'nats-server'), `#!/bin/sh\necho '${printed}'\n`);
    chmodSync(join(folder, 'nats-server'), 0o755);
    return folder;
  }
  const path = (program: unknown) => (program as Program).path;

  it('takes the one on PATH when its version will do', async () => {
    const folder = pathWith('nats-server: v2.99.0');
    const program = await findServer('nats', { env: { PATH: folder }, folder: freshFolder() });
    expect(program).toMatchObject({ path: join(folder, 'nats-server'), version: '2.99.0' });
  });

  it('passes over one that is too old for a later one on PATH', async () => {
    const [old, good] = [pathWith('nats-server: v2.9.10'), pathWith('nats-server: v2.12.4')];
    const program = await findServer('nats', { env: { PATH: `${old}:${good}` }, folder: freshFolder() });
    expect(path(program)).toBe(join(good, 'nats-server'));
  });

  it('takes the one in the folder when PATH has none', async () => {
    const folder = freshFolder();
    mkdirSync(join(folder, 'nats', 'usr'), { recursive: true });
    symlinkSync(pathWith('nats-server: v2.12.1'), join(folder, 'nats', 'usr', 'sbin'));
    const program = await findServer('nats', { env: NOWHERE, folder });
    expect(path(program)).toBe(join(folder, 'nats', 'usr', 'sbin', 'nats-server'));
  });

  it.each(['nats', 'redis'] as const)('says for each system how to get %s when there is no way', async (kind) => {
    const refused = findServer(kind, { env: NOWHERE, folder: freshFolder() });
    const message = await refused.then(String, (error: Error) => error.message);
    for (const word of ['Debian, Ubuntu', 'Fedora', 'macOS', 'brew install', 'Windows', 'Tried:']) {
      expect(message).toContain(word);
    }
    expect(message).toContain(kind === 'nats' ? 'nats-server 2.12.0 or newer' : 'redis-server 7.0.0 or newer');
    expect(message).toContain(kind === 'nats' ? 'NATS_URL=' : 'REDIS_URL=');
  });

  it('says which one was too old', async () => {
    const env = { PATH: pathWith('nats-server: v2.9.10') };
    const message = await findServer('nats', { env, folder: freshFolder() }).then(
      String,
      (error: Error) => error.message,
    );
    if (!message.startsWith('[object')) expect(message).toContain('is 2.9.10, needed is 2.12.0');
  });
});

describe('apt', () => {
  const DEB822 = [
    '# comment',
    'Types: deb deb-src',
    'URIs: http://mirror.invalid/debian',
    '# an older one',
    'Suites: bookworm bookworm-updates',
    'Components: main contrib',
    'signed-by:',
    ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
    ' .',
    ' mQ',
    '',
    'Enabled: no',
    'Types: deb',
    'URIs: http://off.invalid',
    'Suites: bookworm',
    '',
    'Types: deb',
    'URIs: http://vendor.invalid/repo',
    'Suites: nodistro',
    'Components: main',
  ].join('\n');
  const debian = { ID: 'debian', VERSION_CODENAME: 'bookworm' };

  it('reads deb822 sources with their keys, and not those that are off', () => {
    const sources = parseDeb822(DEB822);
    expect(sources.map((source) => source.uris[0])).toEqual([
      'http://mirror.invalid/debian',
      'http://vendor.invalid/repo',
    ]);
    expect(sources[0]?.options['Signed-By']).toBe('\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ');
    expect(parseDeb822(sources.map(showAptSource).join('\n'))).toEqual(sources);
  });

  it('reads one-line sources with their options', () => {
    const text = [
      '# deb http://off.invalid bookworm main',
      'deb [arch=amd64,arm64 signed-by=/k.gpg] http://mirror.invalid/debian bookworm main contrib # note',
      'deb-src http://mirror.invalid/debian bookworm main',
    ].join('\n');
    expect(parseOneLine(text)).toEqual([
      {
        uris: ['http://mirror.invalid/debian'],
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        options: { Architectures: 'amd64 arm64', 'Signed-By': '/k.gpg' },
      },
    ]);
  });

  it('asks the newest suite for nats-server and the own one for redis-server, and no vendor for either', () => {
    const system = parseDeb822(DEB822);
    const suites = (kind: 'nats' | 'redis') =>
      candidateSources(kind, system, debian).map((each) => each.flatMap((source) => source.suites));
    expect(suites('nats')).toEqual([['unstable'], ['bookworm', 'bookworm-updates']]);
    expect(suites('redis')).toEqual([['bookworm', 'bookworm-updates']]);
    const newest = candidateSources('nats', system, debian)[0]?.[0];
    expect(newest?.options['Signed-By']).toBe(system[0]?.options['Signed-By']);
  });

  it('asks for libraries that are missing, through libraries only, and never for libc', () => {
    const depends = [
      'redis-server',
      '  Depends: redis-tools',
      '  Depends: adduser',
      'redis-tools',
      '  Depends: libc6',
      ' |Depends: libjemalloc2',
      '  Depends: libsystemd0',
      'adduser',
      '  Depends: libperl5',
      'libjemalloc2',
      '  Depends: libstdc++6',
      'libstdc++6',
      'libsystemd0',
      'libc6',
      'libperl5',
    ].join('\n');
    const needed = neededLibraries(['redis-server', 'redis-tools'], depends, new Set(['libsystemd0']));
    expect(needed).toEqual(['libjemalloc2', 'libstdc++6']);
  });
});

describe('the lock of the folder', () => {
  it('lets one in at a time, and takes a lock over that nobody keeps', async () => {
    const folder = freshFolder();
    writeFileSync(join(folder, 'fetch.lock'), '1\n');
    utimesSync(join(folder, 'fetch.lock'), 0, 0);
    const lines: string[] = [];
    let inside = 0;
    let most = 0;
    const enter = () =>
      withLock(
        folder,
        (line) => lines.push(line),
        async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
        },
      );
    await Promise.all([enter(), enter(), enter()]);
    expect(most).toBe(1);
    expect(lines).toContain('another process is fetching servers: waiting for it');
    expect(existsSync(join(folder, 'fetch.lock'))).toBe(false);
  });
});

describe('nats-server', () => {
  it('serves JetStream with fsync always and 8 MB payloads, on loopback only', async () => {
    const nats = await freshNats();
    const client = await connectNats({ servers: nats.url });
    expect(client.info?.max_payload).toBe(8 * 1024 * 1024);
    expect(client.info?.jetstream).toBe(true);
    await client.close();
    const varz = (await (await fetch(`${nats.monitorUrl}/varz`)).json()) as Record<string, unknown>;
    expect(varz).toMatchObject({ host: '127.0.0.1', http_host: '127.0.0.1' });
    const jsz = (await (await fetch(`${nats.monitorUrl}/jsz`)).json()) as { config: Record<string, unknown> };
    expect(jsz.config).toMatchObject({ sync_always: true });
  });

  it('does not answer while paused, and does after it is resumed', async () => {
    const nats = await freshNats();
    await nats.pause();
    expect(nats.alive()).toBe(true);
    expect(await firstAnswer(nats.port, '', (text) => text !== '')).toBeUndefined();
    nats.resume();
    expect(await firstAnswer(nats.port, '', (text) => text !== '')).toMatch(/^INFO /);
  });

  it('keeps port and data over kill, stop and restart, and says whether an end was expected', async () => {
    const nats = await freshNats();
    const exits: boolean[] = [];
    const off = nats.onExit(({ expected }) => exits.push(expected));
    const { port, pid } = nats;
    const client = await connectNats({ servers: nats.url, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
    await nats.kill();
    expect(nats.alive()).toBe(false);
    expect(isRunning(pid)).toBe(false);
    await nats.restart();
    expect(nats.port).toBe(port);
    expect(nats.pid).not.toBe(pid);
    await vi.waitFor(() => client.flush());
    await client.close();
    await nats.restart();
    await nats.pause();
    await nats.stop();
    expect(nats.alive()).toBe(false);
    await nats.stop();
    await nats.restart();
    expect(exits).toEqual([true, true, true]);
    process.kill(nats.pid, 'SIGKILL');
    await vi.waitFor(() => expect(exits).toEqual([true, true, true, false]));
    off();
  });

  it('refuses a second server on a data folder that is in use', async () => {
    const nats = await freshNats();
    await expect(startNats({ dataDir: nats.dataDir })).rejects.toThrow(/is in use/);
    expect(nats.alive()).toBe(true);
  });

  it('says what the server said when it cannot start, and does not move from a given port', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const port = (taken.address() as { port: number }).port;
    await expect(freshNats({ port })).rejects.toThrow(/address already in use/);
    taken.close();
    await expect(freshNats({ config: { extra: 'no_such_setting: 1' } })).rejects.toThrow(/no_such_setting/);
  });
});

describe('redis-server', () => {
  it('serves, and comes back on the same port: empty when it was killed, with what it held when it was stopped', async () => {
    const redis = await freshRedis({ config: { maxmemory: '50mb' } });
    const client = createClient({ url: redis.url });
    client.on('error', () => undefined);
    await client.connect();
    expect(await client.configGet(['appendonly', 'save', 'maxmemory', 'maxmemory-policy'])).toEqual({
      appendonly: 'no',
      save: '300 1',
      maxmemory: String(50 * 1024 * 1024),
      'maxmemory-policy': 'noeviction',
    });
    await client.set('k', 'v');
    const { port } = redis;
    await redis.kill();
    await redis.restart();
    expect(redis.port).toBe(port);
    await vi.waitFor(async () => expect(await client.get('k')).toBeNull());
    await client.set('k', 'w');
    await redis.restart();
    await vi.waitFor(async () => expect(await client.get('k')).toBe('w'));
    client.destroy();
  });
});

describe.skipIf(process.platform === 'win32')('when the process that started a server is killed', () => {
  const built = join(packageRoot(), 'dist', 'src', 'servers', 'nats.js');

  beforeAll(() => {
    if (!existsSync(built)) throw new Error(`${built} is missing: run npm run build`);
  });

  /** Starts NATS in another process and kills that process. Returns the server's pid and port. */
  async function orphaned(dataDir: string, tethered: boolean): Promise<{ pid: number; port: number }> {
    const script = `const { startNats } = await import(${JSON.stringify(pathToFileURL(built).href)});
      const nats = await startNats(${JSON.stringify({ dataDir, tethered })});
      console.log(JSON.stringify({ pid: nats.pid, port: nats.port }));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await new Promise<string>((resolve) => parent.stdout.once('data', (data) => resolve(String(data))));
    const ended = new Promise((resolve) => parent.once('exit', resolve));
    parent.kill('SIGKILL');
    await ended;
    return JSON.parse(said) as { pid: number; port: number };
  }

  it.runIf(process.platform === 'linux')('the server ends with it', async () => {
    const { pid } = await orphaned(freshFolder(), true);
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false));
  });

  it('the next start takes over a server that was left running', async () => {
    const dataDir = freshFolder();
    const orphan = await orphaned(dataDir, false);
    const lines: string[] = [];
    const nats = await freshNats({ dataDir, report: (line) => lines.push(line) });
    expect({ pid: nats.pid, port: nats.port }).toEqual(orphan);
    expect(lines.join()).toContain('taking over');
    await nats.restart();
    expect(nats.port).toBe(orphan.port);
    expect(nats.pid).not.toBe(orphan.pid);
    expect(isRunning(orphan.pid)).toBe(false);
  });

  it('the next start ends one that hangs, or that runs with other settings', async () => {
    const [hanging, other] = [freshFolder(), freshFolder()];
    const [first, second] = [await orphaned(hanging, false), await orphaned(other, false)];
    process.kill(first.pid, 'SIGSTOP');
    const fresh = await freshNats({ dataDir: hanging });
    expect(isRunning(first.pid)).toBe(false);
    expect(fresh.pid).not.toBe(first.pid);
    const changed = await freshNats({ dataDir: other, config: { maxPayload: '4MB' } });
    expect(isRunning(second.pid)).toBe(false);
    expect(changed.pid).not.toBe(second.pid);
  });

  it('a pid that was given to another process since is left alone', async () => {
    const dataDir = freshFolder();
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const record = { pid: bystander.pid, parentPid: 1, port: 20_000, monitorPort: 20_001, config: '' };
    writeFileSync(join(dataDir, 'server.json'), JSON.stringify(record));
    const nats = await freshNats({ dataDir });
    expect(bystander.exitCode).toBeNull();
    expect(isRunning(bystander.pid ?? 0)).toBe(true);
    expect((JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as { pid: number }).pid).toBe(nats.pid);
    bystander.kill('SIGKILL');
  });
});
