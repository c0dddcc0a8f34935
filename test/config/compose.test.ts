/**
 * Checks docker-compose.yml against the Compose specification's JSON schema (shipped by dclint) and against our own rules. No Docker engine
 * is used, so only the file is proven. compose-servers.test.ts runs the mounted files on real servers.
 */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadSettings } from '../../config/load-settings.ts';
import { parseRedisAddress } from '../../config/servers/redis-address.ts';
import { freshSecrets } from '../../harness/servers/compose-servers.ts';
import { packageRoot } from '../../src/process/package-root.ts';

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
  readonly cap_drop?: readonly string[];
  readonly read_only?: boolean;
  readonly networks?: readonly string[];
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly mem_limit?: string;
  readonly pids_limit?: number;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const root = packageRoot();
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);

/** Rules that a service of this file breaks. */
function faults({ networks }: Pick<Compose, 'networks'>, service: Service): string[] {
  const found: string[] = [];
  const must = (good: boolean, fault: string) => {
    if (!good) found.push(fault);
  };
  must(service.healthcheck?.test[0] === 'CMD', 'no health check');
  must(service.security_opt?.includes('no-new-privileges:true') === true, 'may gain privileges');
  must(service.cap_drop?.join() === 'ALL', 'has capabilities');
  must(service.read_only === true, 'may write to its image');
  must(/^[1-9]\d*[mg]$/.test(service.mem_limit ?? ''), 'no limit of memory');
  must((service.pids_limit ?? 0) > 0, 'no limit of processes');
  const image = service.image ?? '';
  must(
    service.build !== undefined || /:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}$/.test(image),
    'image not by version and digest',
  );
  const names = service.networks ?? [];
  must(names.length > 0, 'no network of its own choice: the default one has everybody in it');
  for (const name of names) must(Object.hasOwn(networks, name), `no network ${name}`);
  for (const port of service.ports ?? []) {
    must(/^127\.0\.0\.1:\d+:\d+$/.test(port), `${port} is not on loopback only`);
    must(
      names.some((name) => networks[name]?.internal !== true),
      'publishes a port from an internal network',
    );
  }
  for (const [name, value] of Object.entries(service.environment ?? {})) {
    const secret = /PASS|SECRET|TOKEN|KEY|CREDS|SEED/.test(name);
    must(!secret || (name.endsWith('_FILE') && value.startsWith('/run/secrets/')), `${name} is not a secret file`);
    must(!/:\/\/[^/]*@/.test(value), `${name} has a password in it`);
  }
  const mounted = (service.secrets ?? []).map((each) => (typeof each === 'string' ? each : each.target));
  for (const value of Object.values(service.environment ?? {})) {
    if (value.startsWith('/run/secrets/')) must(mounted.includes(basename(value)), `${value} is not mounted`);
  }
  return found;
}

function composeSchema(): AnySchemaObject {
  const dclint = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
  const schema = JSON.parse(readFileSync(join(dclint, 'schemas', 'compose.schema.json'), 'utf8')) as AnySchemaObject;
  // The schema names draft-07 by an address that ajv does not know. Its keywords are common to that draft and 2020-12.
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
    '%s is bounded, restricted, on networks of its own, by digest, and has no password in the file',
    (_, service) => {
      expect(faults(compose, service)).toEqual([]);
    },
  );

  it.each<[string, Partial<Record<keyof Service, unknown>>]>([
    ['no limit of memory', { mem_limit: undefined }],
    ['no limit of processes', { pids_limit: undefined }],
    ['no network of its own choice', { networks: undefined }],
    ['publishes a port from an internal network', { networks: ['core'] }],
    ['image not by version and digest', { build: undefined, image: 'nats:2.14-alpine' }],
    ['has capabilities', { cap_drop: undefined }],
    ['may write to its image', { read_only: false }],
    ['is not on loopback only', { ports: ['4222:4222'] }],
    ['GF_SECURITY_ADMIN_PASSWORD is not', { environment: { GF_SECURITY_ADMIN_PASSWORD: 'admin' } }],
    ['NATS_PASSWORD_FILE is not', { environment: { NATS_PASSWORD_FILE: './password' } }],
    ['/run/secrets/other is not', { environment: { X_FILE: '/run/secrets/other' } }],
    ['REDIS_URL has a password', { environment: { REDIS_URL: 'redis://:x@redis:6379' } }],
  ])('a service would be refused that: %s', (fault, change) => {
    expect(faults(compose, { ...compose.services.holdfast, ...change } as Service)).toContainEqual(
      expect.stringContaining(fault),
    );
  });

  it('keeps monitoring away from NATS and Valkey, and Valkey away from callers', () => {
    const on = (network: string) =>
      services.flatMap(([name, { networks }]) => (networks?.includes(network) ? [name] : [])).sort();
    const nodes = ['holdfast', 'holdfast-1', 'holdfast-2', 'holdfast-3'];
    expect(on('watch')).toEqual(['grafana', ...nodes, 'prometheus']);
    expect(on('edge')).toEqual([...nodes, 'nats']);
    expect(compose.networks.core).toEqual({ internal: true });
    expect(Object.keys(compose.networks).sort()).toEqual(['core', 'edge', 'watch']);
  });

  it('takes its secrets from files that one command makes, and that are neither committed nor in the image', () => {
    const folder = freshSecrets();
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(dirname(file), name).toBe('./secrets');
      expect(existsSync(join(folder, basename(file))), file).toBe(true);
    }
    const named = services.flatMap(([, service]) =>
      (service.secrets ?? []).map((each) => (typeof each === 'string' ? each : each.source)),
    );
    expect([...new Set(named)].sort()).toEqual(Object.keys(compose.secrets).sort());
    const lines = (name: string) => readFileSync(join(root, name), 'utf8').split('\n');
    expect(lines('.gitignore')).toContain('/secrets/');
    expect(lines('.dockerignore')[0]).toBe('*');
    expect(lines('.dockerignore').filter((line) => /^!.*secrets/.test(line))).toEqual([]);
  });

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
    for (const name of ['nats-data', 'valkey-data', 'prometheus-data', 'grafana-data']) {
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
    const folder = freshSecrets();
    const here = (value: string) => value.replace('/run/secrets', folder);
    const loaded = nodes.map(({ environment = {} }) =>
      loadSettings({}, Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, here(value)]))),
    );
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

it('Prometheus scrapes Holdfast where it listens and under names that nodes answer to, and Grafana reads that Prometheus', () => {
  const read = (...path: string[]) =>
    parse(readFileSync(join(root, 'config', ...path), 'utf8')) as Record<string, unknown>;
  const targets = (file: string) =>
    (read('prometheus', file).scrape_configs as { static_configs: { targets: string[] }[] }[]).flatMap((job) =>
      job.static_configs.flatMap((each) => each.targets),
    );
  expect(targets('prometheus.yml')).toEqual(['holdfast:8080', 'localhost:9090']);
  const nodes = services.filter(([name]) => name.startsWith('holdfast'));
  expect(nodes.length).toBeGreaterThan(0);
  for (const target of [...targets('prometheus.yml'), ...targets('cluster.yml')]) {
    const [host = ''] = target.split(':');
    for (const [, { environment }] of nodes) expect(environment?.HOLDFAST_HOSTS?.split(',')).toContain(host);
  }
  const sources = read('grafana', 'provisioning', 'datasources', 'prometheus.yml').datasources as {
    url: string;
  }[];
  expect(sources[0]?.url).toBe('http://prometheus:9090');
});
