/**
 * A real Prometheus scrapes a running node. The scrape has no errors, every query of every dashboard finds data, every series in an alert
 * exists, and each alert fires for its cause.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboardFiles } from '../../../dashboards/grafana/boards.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { findPrometheus, PrometheusServer, promtool, type Sample } from '../../../harness/servers/prometheus.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { packageRoot } from '../../../src/process/package-root.ts';
import { expressionsOf, selectorsIn, substituted, variablesOf } from './panels.ts';
import { ShopDay } from './shop-day.ts';

const SCRAPE = '500ms';
/** Many scrapes long, so that a slow machine misses none of them. */
const TIMES = { rateInterval: '20s', range: '1m' };
const WITHIN_MS = 60_000;

const config = join(packageRoot(), 'config', 'prometheus');
const boards = dashboardFiles().map(({ name, text }) => ({ name, board: JSON.parse(text) }));

let node: NodeProcess;
let prometheus: PrometheusServer;
let day: ShopDay;

beforeAll(async () => {
  await findPrometheus();
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  node = await NodeProcess.at({ nats, redis }, { name: 'one', env: { HOLDFAST_PARTITIONS: '4' } });
  await node.up();
  // The configuration that Compose mounts, with other addresses and shorter intervals.
  const file = parse(readFileSync(join(config, 'prometheus.yml'), 'utf8'));
  const jobs = file.scrape_configs.filter((job: { job_name: string }) => job.job_name === 'holdfast');
  prometheus = await PrometheusServer.start({
    ...file,
    global: { scrape_interval: SCRAPE, scrape_timeout: SCRAPE, evaluation_interval: '1s' },
    rule_files: [join(config, 'rules', '*.yml')],
    scrape_configs: jobs.map((job: object) => ({
      ...job,
      static_configs: [{ targets: [new URL(node.url).host] }],
    })),
  });
  day = new ShopDay(node.url);
}, 300_000);
afterAll(() => day?.close());

const finite = (samples: readonly Sample[]) => samples.some(({ value: [, text] }) => Number.isFinite(Number(text)));

it('promtool finds nothing in what a node says', async () => {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  expect(await promtool(['check', 'metrics'], text)).toEqual({ ok: true, text: '' });
});

describe.each(boards)('$name', ({ board }) => {
  it.each(variablesOf(board))('has a choice for $label', async ({ selector, label }) => {
    let found: string[] = [];
    const some = async () => {
      found = await prometheus.labelValues(label, selector);
      return found.length > 0;
    };
    await until(some, WITHIN_MS, () => `values of ${label} in ${selector}\n${node.tail()}`);
    expect(found).not.toContain('');
  });

  it.each(expressionsOf(board))('$panel: finds data: $expr', async ({ expr }) => {
    const query = substituted(expr, TIMES);
    let found: Sample[] = [];
    const some = async () => {
      found = await prometheus.query(query);
      return finite(found);
    };
    await until(
      some,
      WITHIN_MS,
      () => `${query} finds a number; found: ${JSON.stringify(found)}\n${node.tail(3)}`,
      200,
    );
    // A query may return 0 for a series that is missing.
    for (const selector of selectorsIn(query)) {
      const there = async () => (await prometheus.query(selector)).length > 0;
      await until(there, WITHIN_MS, () => `${selector} finds series`, 200);
    }
  });
});

describe('alerts', () => {
  const rules = (
    parse(readFileSync(join(config, 'rules', 'holdfast.yml'), 'utf8')) as {
      groups: { rules: { alert: string; expr: string }[] }[];
    }
  ).groups.flatMap((group) => group.rules);
  const series = rules.flatMap(({ alert, expr }) => selectorsIn(expr).map((selector) => ({ alert, selector })));

  it.each(series)('$alert speaks of series that are there: $selector', async ({ selector }) => {
    await until(
      async () => (await prometheus.query(selector)).length > 0,
      WITHIN_MS,
      () => `${selector} finds series`,
    );
  });

  it('are all understood by the running Prometheus', async () => {
    const known = await prometheus.rules();
    expect(known.map(({ name }) => name).sort()).toEqual(rules.map(({ alert }) => alert).sort());
    await until(
      async () => (await prometheus.rules()).every(({ health }) => health === 'ok'),
      WITHIN_MS,
      () => 'every rule was evaluated',
    );
  });

  const raised = (alert: string) => async () => (await prometheus.query(`ALERTS{alertname="${alert}"}`)).length > 0;

  it('are raised by facts that are parked, and not while all is well', async () => {
    await until(raised('HoldfastFactsParked'), WITHIN_MS, () => 'parked facts are noticed', 200);
    for (const alert of ['HoldfastNodeDown', 'HoldfastPartitionWithoutOwner', 'HoldfastSelfAuditBreach']) {
      expect(await raised(alert)(), alert).toBe(false);
    }
  });

  it('are raised by a node that is killed', async () => {
    await node.kill();
    await until(raised('HoldfastNodeDown'), WITHIN_MS, () => 'the killed node is noticed', 200);
  });
});
