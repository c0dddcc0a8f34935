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
import { findServer } from '../src/servers/find.ts';
import { packageRoot } from '../src/servers/package-root.ts';
import { freshFolder, freshNats, freshRedis } from './fixtures/servers.ts';

interface Service {
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
const compose = parse(text) as Compose;
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

  it('has the five services', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['grafana', 'holdfast', 'nats', 'prometheus', 'redis']);
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
