/**
 * docker-compose.yml against the Compose specification's own JSON schema (shipped by dclint), and against the rules of
 * this house. No Docker engine is needed, and none is used: what is proven is the file and the mounted configurations.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseRedisAddress } from '../config/redis-address.ts';
import { loadSettings } from '../config/settings.ts';
import { findServer } from '../src/servers/find.ts';
import { packageRoot } from '../src/servers/package-root.ts';
import { NatsCluster } from './fixtures/nats-cluster.ts';
import { command, info } from './fixtures/redis-sets.ts';
import { freshFolder, freshNats, freshRedis } from './fixtures/servers.ts';

interface Service {
  readonly profiles?: readonly string[];
  readonly command?: readonly string[];
  readonly image?: string;
  readonly build?: unknown;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly security_opt?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const root = packageRoot();
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const run = promisify(execFile);

function composeSchema(): AnySchemaObject {
  const dclint = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
  const schema = JSON.parse(readFileSync(join(dclint, 'schemas', 'compose.schema.json'), 'utf8')) as AnySchemaObject;
  // It names draft-07 by an address that ajv does not know; its keywords are common to that draft and 2020-12.
  const { $schema: _, ...rest } = schema;
  return rest;
}

describe('docker-compose.yml', () => {
  const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(composeSchema());

  it('fits the Compose specification', () => {
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
  });

  it('would be refused with a misspelt key or a wrong type (the schema does look)', () => {
    expect(validate({ services: { nats: { image: 'nats', helthcheck: {} } } })).toBe(false);
    expect(validate({ services: { nats: { image: 'nats', ports: 'all' } } })).toBe(false);
    expect(validate({ services: { nats: { depends_on: { redis: { condition: 'service_ok' } } } } })).toBe(false);
  });

  it('has the five services, and those of a cluster only when they are asked for', () => {
    const named = (profile: string | undefined) =>
      services.flatMap(([name, { profiles }]) => (profiles?.[0] === profile ? [name] : [])).sort();
    expect(named(undefined)).toEqual(['grafana', 'holdfast', 'nats', 'prometheus', 'redis']);
    const three = (name: string) => [`${name}-1`, `${name}-2`, `${name}-3`];
    expect(named('cluster')).toEqual([
      ...three('holdfast'),
      ...three('nats'),
      'redis-1',
      'redis-2',
      ...three('sentinel'),
    ]);
  });

  it('starts with the nodes of the cluster all that they need, and nothing of the single ones', () => {
    const needed = new Set<string>();
    const need = (name: string) => {
      needed.add(name);
      for (const other of Object.keys(compose.services[name]?.depends_on ?? {})) need(other);
    };
    for (const n of [1, 2, 3]) need(`holdfast-${n}`);
    const cluster = services.flatMap(([name, { profiles }]) => (profiles?.[0] === 'cluster' ? [name] : []));
    expect([...needed].sort()).toEqual(cluster.sort());
  });

  it.each(services)(
    '%s has a health check, restricted privileges, a fixed image, and ports on loopback only',
    (_, service) => {
      expect(service.healthcheck?.test[0]).toBe('CMD');
      expect(service.security_opt).toContain('no-new-privileges:true');
      expect(service.image).toMatch(/:(?!latest$).+/);
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    },
  );

  it.each(services)('%s waits for healthy services that exist', (_, service) => {
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services).toHaveProperty(name);
      expect(condition).toBe('service_healthy');
    }
  });

  it.each(services)('%s mounts files that exist, read-only, and volumes that are declared', (_, service) => {
    for (const volume of service.volumes ?? []) {
      const [source = '', , mode] = volume.split(':');
      if (source.startsWith('./')) {
        expect(existsSync(join(root, source)), source).toBe(true);
        expect(mode).toBe('ro');
      } else expect(compose.volumes).toHaveProperty(source);
    }
  });

  it('keeps the data of each store in a named volume, and uses every volume', () => {
    const mounted = services.flatMap(([, service]) => (service.volumes ?? []).map((volume) => volume.split(':')[0]));
    for (const name of Object.keys(compose.volumes)) expect(mounted).toContain(name);
    for (const name of ['nats-data', 'redis-data', 'prometheus-data', 'grafana-data']) {
      expect(compose.volumes).toHaveProperty(name);
    }
  });

  it('runs Holdfast strict, and after NATS and Redis', () => {
    const { holdfast } = compose.services;
    expect(holdfast?.environment).toMatchObject({
      HOLDFAST_DURABILITY: 'strict',
      NATS_URL: 'nats://nats:4222',
      REDIS_URL: 'redis://redis:6379',
      HOLDFAST_HTTP: '0.0.0.0:8080',
    });
    expect(Object.keys(holdfast?.depends_on ?? {}).sort()).toEqual(['nats', 'redis']);
  });
});

describe('the nodes of the cluster', () => {
  const nodes = [1, 2, 3].map((n) => compose.services[`holdfast-${n}`] as Service);
  const hosts = (urls: string) => [...urls.matchAll(/(?:\/\/|,)([a-z]+-\d):\d+/g)].map(([, host]) => host);

  it('have names and ports of their own, and settings that the program takes', () => {
    const loaded = nodes.map(({ environment }) => loadSettings({}, environment ?? {}));
    expect(loaded.map(({ name }) => name)).toEqual(['node-1', 'node-2', 'node-3']);
    for (const settings of loaded) expect(settings).toMatchObject({ replicas: 3, durability: 'strict' });
    expect(new Set(nodes.flatMap(({ ports }) => ports)).size).toBe(3);
  });

  it('name every NATS server, as its client and for its monitoring, and every Sentinel', () => {
    for (const { environment = {} } of nodes) {
      expect(hosts(environment.NATS_URL ?? '')).toEqual(['nats-1', 'nats-2', 'nats-3']);
      expect(hosts(environment.NATS_MONITOR_URL ?? '')).toEqual(['nats-1', 'nats-2', 'nats-3']);
      const redis = parseRedisAddress(environment.REDIS_URL ?? '');
      expect(redis).toMatchObject({
        kind: 'sentinel',
        master: 'stock',
        sentinels: [1, 2, 3].map((n) => ({ host: `sentinel-${n}`, port: 26_379 })),
      });
    }
  });

  it('keep each server’s data in a volume of its own', () => {
    for (const name of ['nats', 'redis', 'sentinel']) {
      const mounted = services.flatMap(([service, { volumes = [], profiles }]) =>
        profiles !== undefined && service.startsWith(`${name}-`) ? volumes.filter((each) => !each.startsWith('.')) : [],
      );
      expect(new Set(mounted).size).toBe(mounted.length);
      expect(mounted.length).toBe(name === 'redis' ? 2 : 3);
    }
  });
});

describe('the mounted configurations', () => {
  const nats = join(root, 'config', 'nats');

  it('NATS fsyncs before it acknowledges', () => {
    const mounted = compose.services.nats?.volumes?.find((volume) => volume.includes('/etc/nats/nats.conf'));
    const conf = readFileSync(join(root, mounted?.split(':')[0] ?? ''), 'utf8');
    expect(conf).toMatch(/^\s*sync_interval: always$/m);
    expect(conf).toMatch(/^max_payload: 8MB$/m);
  });

  it.each(readdirSync(nats).filter((name) => name.endsWith('.conf')))(
    'nats-server accepts config/nats/%s',
    async (name) => {
      const program = await findServer('nats');
      if (program.how !== 'native') return;
      const values = {
        NAME: 'x',
        HOST: '127.0.0.1',
        PORT: '4222',
        MONITOR_PORT: '8222',
        STORE: '/data',
        SYNC: 'always',
      };
      const all = { ...values, MAX_PAYLOAD: '8MB', MAX_STORE: '-1' };
      const variables = Object.fromEntries(Object.entries(all).map(([key, value]) => [`HOLDFAST_NATS_${key}`, value]));
      const env = { ...process.env, ...program.env, ...variables };
      const { stderr, stdout } = await run(program.path, ['-t', '-c', join(nats, name)], { env });
      expect(stderr + stdout).toContain('is valid');
    },
  );

  it('a server with the mounted NATS file says that it syncs always', async () => {
    const folder = freshFolder('compose');
    const conf = readFileSync(join(nats, 'compose.conf'), 'utf8');
    const jetstream = /^jetstream \{[\s\S]*?^\}/m.exec(conf)?.[0] ?? '';
    // Of a block that is given twice the last counts: the mounted one, with its store in a folder that is there.
    const extra = jetstream.replace('/data/jetstream', join(folder, 'jetstream'));
    const server = await freshNats({ config: { syncInterval: '2m', extra } });
    expect(extra).toContain(folder);
    const jsz = (await (await fetch(`${server.monitorUrl}/jsz`)).json()) as { config: Record<string, unknown> };
    expect(jsz.config).toMatchObject({ sync_always: true });
  });

  it('three servers with the block of config/nats/cluster.conf find each other, and the file says sync always', async () => {
    const conf = readFileSync(join(nats, 'cluster.conf'), 'utf8');
    expect(conf).toMatch(/^\s*sync_interval: always$/m);
    expect(conf).toMatch(/^max_payload: 8MB$/m);
    const block = /^cluster \{[\s\S]*?^\}/m.exec(conf)?.[0] ?? '';
    const cluster = await NatsCluster.start(undefined, (own, all) =>
      all.reduce(
        (text, port, i) => text.replace(`nats-${i + 1}:6222`, `127.0.0.1:${port}`),
        block.replace('0.0.0.0:6222', `127.0.0.1:${own}`),
      ),
    );
    const [server] = cluster.servers;
    const jsz = (await (await fetch(`${server?.monitorUrl}/jsz`)).json()) as { meta_cluster: Record<string, unknown> };
    expect(jsz.meta_cluster).toMatchObject({ name: 'holdfast', cluster_size: 3 });
  }, 60_000);

  it('a Sentinel with config/redis/sentinel.conf watches the master, and the replica starts with its command', async () => {
    const master = await freshRedis();
    const words = compose.services['redis-2']?.command ?? [];
    expect(words.slice(-3)).toEqual(['--replicaof', 'redis-1', '6379']);
    const lines = readFileSync(join(root, 'config', 'redis', 'sentinel.conf'), 'utf8').split('\n');
    const directives = lines
      .filter((line) => line.startsWith('sentinel '))
      .map((line) => line.replace('redis-1 6379', `127.0.0.1 ${master.port}`));
    expect(directives.length).toBe(5);
    // The last words are the value; what stands before them is the directive.
    const config = Object.fromEntries(
      directives.map((line) => {
        const count = line.includes(' monitor ') ? 3 : line.includes(' stock ') ? 3 : 2;
        const parts = line.split(' ');
        return [parts.slice(0, count).join(' '), parts.slice(count).join(' ')];
      }),
    );
    const sentinel = await freshRedis({ sentinel: true, config });
    const address = await command(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'stock');
    expect(address).toEqual(['127.0.0.1', String(master.port)]);
    const replica = await freshRedis({
      config: { replicaof: `127.0.0.1 ${master.port}`, 'replica-announce-ip': '127.0.0.1' },
    });
    await expect.poll(() => info(replica, 'replication'), { timeout: 20_000 }).toContain('master_link_status:up');
  });

  it('redis-server starts with config/redis/compose.conf', async () => {
    const lines = readFileSync(join(root, 'config', 'redis', 'compose.conf'), 'utf8').split('\n');
    const directives = lines.filter((line) => /^[a-z]/.test(line) && !/^(bind|port|dir|protected-mode) /.test(line));
    const config = Object.fromEntries(
      directives.map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1).join(' ')]),
    );
    expect((await freshRedis({ config })).alive()).toBe(true);
  });

  it('Prometheus scrapes Holdfast where it listens, and Grafana reads that Prometheus', () => {
    const read = (...path: string[]) =>
      parse(readFileSync(join(root, 'config', ...path), 'utf8')) as Record<string, unknown>;
    const scrapes = read('prometheus', 'prometheus.yml').scrape_configs as {
      static_configs: { targets: string[] }[];
    }[];
    expect(scrapes.flatMap((job) => job.static_configs.flatMap((each) => each.targets))).toContain('holdfast:8080');
    const sources = read('grafana', 'provisioning', 'datasources', 'prometheus.yml').datasources as {
      url: string;
    }[];
    expect(sources[0]?.url).toBe('http://prometheus:9090');
  });
});
