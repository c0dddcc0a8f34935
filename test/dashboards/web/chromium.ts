/**
 * A headless Chromium for tests. Each test file has one process, which ends after its last test. Every page comes with the errors that it
 * reported.
 */
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll } from 'vitest';
import { findChromium } from './chromium-program.ts';

/** Without these flags a browser contacts its vendor's hosts at every start, and needs a sandbox that root may not have. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
let browser: Promise<Browser> | undefined;

afterAll(async () => {
  await (await browser)?.close();
});

async function launched(): Promise<Browser> {
  const { path, env } = await findChromium();
  return chromium.launch({
    executablePath: path,
    args: FLAGS,
    env: { ...process.env, ...env } as Record<string, string>,
  });
}

export interface View {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
  readonly calm?: boolean;
}

export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Console errors, page errors and requests to other hosts, in order. */
  readonly errors: string[];
}

/** Opens an address of the live page, `${url}/#/…`, in a fresh profile. */
export async function open(address: string, view: View = {}): Promise<Opened> {
  browser ??= launched();
  const context = await (await browser).newContext({
    viewport: { width: view.width ?? 1280, height: view.height ?? 800 },
    colorScheme: view.scheme ?? 'dark',
    reducedMotion: view.calm === true ? 'reduce' : 'no-preference',
    locale: 'en-GB',
  });
  const page = await context.newPage();
  const errors: string[] = [];
  const { host } = new URL(address);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error.stack ?? error)));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.host !== host) errors.push(`a request to ${asked.href}`);
  });
  await page.goto(address);
  return { page, context, errors };
}

/** Waits until the page reports that its numbers are live. */
export async function live(page: Page): Promise<void> {
  await page.locator('[data-link=open]').waitFor({ timeout: 30_000 });
}
