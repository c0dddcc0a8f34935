/** The dashboards as files. The committed files equal the output of the TypeScript, and Grafana can show them completely. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import { describe, expect, it } from 'vitest';
import { dashboardFiles } from '../../../dashboards/grafana/boards.ts';
import { packageRoot } from '../../../src/process/package-root.ts';
import { expressionsOf } from './panels.ts';

const folder = join(packageRoot(), 'dashboards', 'grafana');
const files = dashboardFiles().map(({ name, text }) => ({ name, text, board: JSON.parse(text) as Dashboard }));

const isRow = (panel: Panel | RowPanel): panel is RowPanel => panel.type === 'row';
const panelsOf = (board: Dashboard) => (board.panels ?? []).filter((panel): panel is Panel => !isRow(panel as Panel));

it('are committed as npm run dashboards writes them, and no others', () => {
  const committed = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'tsconfig.json');
  expect(committed.sort()).toEqual(files.map(({ name }) => name).sort());
  for (const { name, text } of files) {
    expect(readFileSync(join(folder, name), 'utf8') === text, `${name} is old: npm run dashboards`).toBe(true);
  }
});

it('have addresses of their own, and link to each other and to the page', () => {
  expect(new Set(files.map(({ board }) => board.uid)).size).toBe(files.length);
  for (const { board } of files) {
    expect(board.tags).toEqual(['holdfast']);
    expect(board.links?.map(({ type }) => type)).toEqual(['dashboards', 'link']);
    expect(board.links?.[0]).toMatchObject({ tags: ['holdfast'], includeVars: true, keepTime: true });
    expect(board.id ?? null).toBe(null);
  }
});

describe.each(files)('$name', ({ board }) => {
  const panels = panelsOf(board);

  it('tells of each panel what it is, in which unit, and names its lines', () => {
    for (const panel of panels) {
      expect(panel.title, String(panel.id)).toMatch(/\S/);
      expect(panel.description, panel.title).toMatch(/\S.{20,}[.?]$/s);
      for (const link of panel.fieldConfig?.defaults.links ?? []) {
        const label = /#\/(?:locations\/|anomalies\?kind=)\$\{__field\.labels\.(\w+):percentencode\}$/.exec(
          (link as { url: string }).url,
        )?.[1];
        for (const target of panel.targets ?? [])
          expect(target, panel.title).toHaveProperty('legendFormat', `{{${label}}}`);
      }
      expect(panel.fieldConfig?.defaults.unit, panel.title).toMatch(/\S/);
      for (const target of panel.targets ?? []) expect(target, panel.title).toHaveProperty('legendFormat');
    }
  });

  it('gives no title and no id twice', () => {
    const once = (all: readonly unknown[]) => expect(new Set(all).size).toBe(all.length);
    once(panels.map(({ title }) => title));
    once((board.panels ?? []).map(({ id }) => id));
  });

  it('places panels side by side within 24 columns, none over another', () => {
    const taken = new Set<string>();
    for (const { gridPos, title } of board.panels ?? []) {
      expect(gridPos, title).toBeDefined();
      const { x = 0, y = 0, w = 0, h = 0 } = gridPos ?? {};
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          expect(taken.has(`${column}.${line}`), `${title} covers another panel`).toBe(false);
          taken.add(`${column}.${line}`);
        }
      }
    }
  });

  it('asks with variables that are there, of the chosen data source', () => {
    const names = (board.templating?.list ?? []).map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(['datasource', 'node']);
    const known = new Set([...names, '__rate_interval', '__range']);
    for (const { expr } of expressionsOf(board)) {
      for (const [, name = ''] of expr.matchAll(/\$\{?(\w+)/g)) expect(known, expr).toContain(name);
    }
    for (const panel of panels) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
      expect(panel.datasource, panel.title).toEqual({ type: 'prometheus', uid: '${datasource}' });
    }
  });
});
