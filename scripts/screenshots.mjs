/**
 * `npm run screenshots`: pictures of every view of the live page on the demo, light and dark, in docs/page. It starts a fresh `holdfast
 * up`, lets the demo run for a while, and then takes the pictures.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './install.mjs';

ensureInstalled({ development: true });
ensureBuilt();
const { chromium } = await import('playwright-core');
const { default: UPNG } = await import('upng-js');

const VIEWS = [
  ['overview', '#/', '.attention [data-anomaly]'],
  ['locations', '#/locations', '.tile'],
  ['location', '#/locations/uk-dc', '.location tbody tr'],
  ['sku', '#/sku/85123A/uk-dc', '[data-step]'],
  ['anomalies', '#/anomalies', '[data-anomaly]'],
  ['system', '#/system', '[data-node]'],
];
const ALIVE_MS = 60_000;
const MAX_BYTES = 200 * 1024;

const data = mkdtempSync(join(tmpdir(), 'holdfast-screenshots-'));
const out = join(root, 'docs', 'page');
mkdirSync(out, { recursive: true });
const up = spawn(process.execPath, [join(root, 'bin', 'holdfast.js'), 'up', '--data', data, '--http', '127.0.0.1:0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const url = await addressOf(up);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const pages = [];
  for (const scheme of ['light', 'dark']) {
    for (const view of VIEWS) pages.push(await opened(browser, url, scheme, view, 1280, 900));
    for (const view of [VIEWS[0], VIEWS[4]]) pages.push(await opened(browser, url, scheme, view, 390, 844));
  }
  // Charts begin when a page is opened, so all pages are open while the demo runs.
  await new Promise((resolve) => setTimeout(resolve, ALIVE_MS));
  for (const { page, path, inside, name } of pages) {
    await page.bringToFront();
    await page.locator(inside).first().waitFor({ timeout: 60_000 });
    if (name === 'anomalies') {
      await page.locator('[data-anomaly]').first().click();
      await page.locator('[data-detail]').waitFor();
    }
    // The explanation is outdated by now, so request it again.
    if (name === 'sku') {
      await page.locator('.explanation header button').click();
      await page.locator('[data-step]').nth(5).waitFor();
    }
    const size = write(path, await page.screenshot());
    console.log(`${path}: ${Math.round(size / 1024)} KB`);
    if (size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES / 1024} KB`);
  }
  await browser.close();
} finally {
  up.kill('SIGTERM');
  await new Promise((resolve) => up.once('exit', resolve));
  rmSync(data, { recursive: true, force: true });
}

/** Reduces the picture to 256 colours. A page with few colours looks the same in a third of the bytes. */
function write(path, picture) {
  const { width, height, ...decoded } = UPNG.decode(picture);
  const packed = Buffer.from(UPNG.encode(UPNG.toRGBA8({ width, height, ...decoded }), width, height, 256));
  writeFileSync(path, packed);
  return packed.length;
}

async function opened(browser, url, scheme, [name, hash, inside], width, height) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' });
  await page.goto(`${url}/${hash}`);
  const path = join(out, `${name}${width < 500 ? '-phone' : ''}-${scheme}.png`);
  return { page, path, inside, name };
}

function addressOf(child) {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
      const found = /live page +(http:\/\/[^/\s]+)/.exec(said)?.[1];
      if (found !== undefined && said.includes('Holdfast is up.')) resolve(found);
    });
    child.once('exit', () => reject(new Error(`holdfast up ended:\n${said}`)));
  });
}
