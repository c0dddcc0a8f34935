/** Alert rules and Prometheus' configuration, checked by promtool. Each alert is tested and has a section in the runbook. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findPrometheus, promtool } from '../../../harness/servers/prometheus.ts';
import { freshFolder } from '../../../harness/servers/servers.ts';
import { packageRoot } from '../../../src/process/package-root.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface RuleTest {
  readonly name: string;
  readonly promql_expr_test: { readonly exp_samples?: { readonly labels: string }[] }[];
}

const root = packageRoot();
const at = (...path: string[]) => join(root, ...path);
const read = (...path: string[]) => readFileSync(at(...path), 'utf8');
const RULES = at('config', 'prometheus', 'rules', 'holdfast.yml');
const TESTS = at('test', 'config', 'prometheus', 'alerts.yml');
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const tests = (parse(readFileSync(TESTS, 'utf8')) as { tests: RuleTest[] }).tests;

// Prometheus may have to be fetched.
beforeAll(async () => void (await findPrometheus()), 300_000);

it('promtool finds nothing in the rules', async () => {
  const { ok, text } = await promtool(['check', 'rules', RULES]);
  expect(text).toContain(`SUCCESS: ${rules.length} rules found`);
  expect([ok, /warn|fail/i.test(text)]).toEqual([true, false]);
});

it.each(['prometheus', 'cluster'])('promtool takes config/prometheus/%s.yml, which names the rules', async (name) => {
  const { ok, text } = await promtool(['check', 'config', at('config', 'prometheus', `${name}.yml`)]);
  expect(text).toContain('1 rule files found');
  expect([ok, /warn|fail/i.test(text)]).toEqual([true, false]);
});

it('the cluster is scraped as a single node is, and every node of it', () => {
  const [single, cluster] = ['prometheus', 'cluster'].map((name) => parse(read('config', 'prometheus', `${name}.yml`)));
  expect(cluster.scrape_configs[0].static_configs[0].targets).toEqual([1, 2, 3].map((n) => `holdfast-${n}:8080`));
  cluster.scrape_configs[0].static_configs = single.scrape_configs[0].static_configs;
  expect(cluster).toEqual(single);
});

it('each alert fires when it should, alone, and is silent when it should be', async () => {
  const { ok, text } = await promtool(['test', 'rules', TESTS]);
  expect(text).toContain('SUCCESS');
  expect(ok, text).toBe(true);
}, 60_000);

it('a test that expects too much is found (promtool does look)', async () => {
  const wrong = readFileSync(TESTS, 'utf8').replace('HoldfastNodeDown"', 'HoldfastNodeUp"');
  const file = join(freshFolder('rules'), 'alerts.yml');
  writeFileSync(file, wrong.replace('../../config/prometheus/rules/holdfast.yml', RULES));
  const { ok, text } = await promtool(['test', 'rules', file]);
  expect(ok).toBe(false);
  expect(text).toContain('exp: {alertname="HoldfastNodeUp"} 1E+00');
});

it.each(rules)('$alert has a test that makes it fire, and moments at which nothing does', ({ alert }) => {
  const own = tests.filter(({ name }) => name.startsWith(`${alert}: `));
  expect(own.length).toBe(1);
  const expected = own.flatMap(({ promql_expr_test: steps }) => steps.map((step) => step.exp_samples ?? []));
  expect(expected.filter((samples) => samples.some(({ labels }) => labels === `{alertname="${alert}"}`)).length).toBe(
    1,
  );
  expect(expected.filter((samples) => samples.length === 0).length).toBeGreaterThan(0);
});

it.each(rules)(
  '$alert says how bad it is and what it means, and its runbook has a section',
  ({ alert, labels, annotations }) => {
    expect(['warning', 'critical']).toContain(labels.severity);
    expect(annotations.summary).toMatch(/\S/);
    expect(annotations.description).toMatch(/\S.*\.$/);
    const [file = '', anchor] = (annotations.runbook_url ?? '').split('#');
    expect(anchor).toBe(alert.toLowerCase());
    const section =
      read(file)
        .split(/^## /m)
        .find((each) => each.startsWith(`${alert}\n`)) ?? '';
    for (const part of ['**Means** ', '**Look at** ', '**Do** ']) expect(section).toContain(`\n${part}`);
  },
);

it('the runbook has no section for an alert that is gone, and its links lead somewhere', () => {
  const text = read('docs', 'runbook.md');
  const sections = [...text.matchAll(/^## (\S+)$/gm)].map(([, name]) => name);
  expect(sections.length).toBe(rules.length);
  expect(new Set(sections)).toEqual(new Set(rules.map(({ alert }) => alert)));
  for (const [, anchor = ''] of text.matchAll(/\]\(#([^)]*)\)/g)) {
    expect(sections.map((name) => name?.toLowerCase())).toContain(anchor);
  }
});
