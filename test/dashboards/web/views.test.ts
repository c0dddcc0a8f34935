/**
 * The live page on the demo in a real browser. Every view, light and dark and at both widths, is free of console errors and of violations
 * that axe-core finds, and does not scroll sideways.
 */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { UpProcess } from '../../../harness/processes/up-process.ts';
import { freshFolder } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { live, open } from './chromium.ts';

/** Rules of WCAG 2.2 A and AA, and axe's best practices. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Each view, and an element that appears once it has its numbers. */
const VIEWS = [
  ['overview', '#/', '[data-figure=atp]'],
  ['locations', '#/locations', '.tile'],
  ['a location', '#/locations/uk-dc', '.location tbody tr'],
  ['a SKU', '#/sku/85123A/uk-dc', '[data-step]'],
  ['anomalies', '#/anomalies', '.filters'],
  ['system', '#/system', '[data-node]'],
] as const;

let up: UpProcess;

beforeAll(async () => {
  const data = freshFolder('page');
  up = new UpProcess(data, { command: ['up', '--data', data, '--http', '127.0.0.1:0'] });
  await up.says('Holdfast is up.', 120_000);
  // The demo opens with stock at every location, and its real sales follow.
  await until(
    async () => (await fetch(`${up.url}/v1/stock/85123A/uk-dc`)).ok,
    60_000,
    () => `the demo has stock\n${up.output}`,
  );
}, 200_000);

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(TAGS)} }).then(({ violations }) => violations.map(
      ({ id, help, nodes }) => id + ': ' + help + ' (' + nodes.slice(0, 3).map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ') + ')'))`,
  )) as string[];
  return found;
}

describe('in a browser', () => {
  describe.each(['light', 'dark'] as const)('%s', (scheme) => {
    it.each(VIEWS)('shows %s, without an error, and accessible', async (_name, hash, inside) => {
      const { page, context, errors } = await open(`${up.url}/${hash}`, { scheme, calm: true });
      await live(page);
      await page.locator(inside).first().waitFor();
      expect(await page.locator('.failed').allInnerTexts()).toEqual([]);
      expect(await violations(page)).toEqual([]);
      expect(errors).toEqual([]);
      await context.close();
    });
  });

  it.each(VIEWS)('shows %s on a phone without scrolling sideways', async (_name, hash, inside) => {
    const { page, context, errors } = await open(`${up.url}/${hash}`, { width: 390, height: 844, calm: true });
    await live(page);
    await page.locator(inside).first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    expect(await violations(page)).toEqual([]);
    expect(errors).toEqual([]);
    await context.close();
  });

  it('answers whether what is promised is there, in one word and with its numbers', async () => {
    const { page, context } = await open(`${up.url}/`);
    await live(page);
    await page.locator('[data-figure=atp]').waitFor();
    expect(await page.locator('.verdict .word').innerText()).toMatch(/^(Yes|Yes, but|Partly|No)$/);
    for (const name of ['atp', 'held', 'allocated', 'oversold', 'negative', 'anomalies']) {
      expect(await page.locator(`[data-figure=${name}] .value`).innerText()).toMatch(/^−?[\d,.]+[KM]?$/);
    }
    const size = await page.evaluate("parseFloat(getComputedStyle(document.querySelector('.verdict .word')).fontSize)");
    expect(size).toBeGreaterThan(100);
    await context.close();
  });

  it('moves nothing for a reader who asks for less motion', async () => {
    const { page, context } = await open(`${up.url}/`, { calm: true });
    await live(page);
    await page.locator('[data-figure=atp]').waitFor();
    expect(await page.evaluate('document.getAnimations().length')).toBe(0);
    await context.close();
  });
});
