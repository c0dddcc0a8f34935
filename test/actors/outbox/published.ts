/** Facts that give events, and reading what was published, for tests on running nodes. */
import { expect } from 'vitest';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { until } from '../../../harness/until.ts';
import type { EventsAnswer } from '../../../streams/contract/events.ts';

export type Published = EventsAnswer['events'][number];

/** Everything on EVENTS, the oldest first. */
export async function published(url: string, kind = '*'): Promise<Published[]> {
  const all: Published[] = [];
  for (let after = '0'; ; ) {
    const { status, body } = await ask(url, 'GET', `/v1/events?after=${after}&kind=${kind}&limit=1000`);
    if (status !== 200) throw new Error(`GET /v1/events: ${status} ${JSON.stringify(body)}`);
    const page = body as EventsAnswer;
    all.push(...page.events);
    if (page.events.length === 0) return all;
    after = page.next;
  }
}

/** Waits until an event with each id is there. */
export async function untilPublished(url: () => string, ids: readonly string[], within = 60_000): Promise<Published[]> {
  let all: Published[] = [];
  const missing = () => {
    const there = new Set(all.map(({ id }) => id));
    return ids.filter((id) => !there.has(id));
  };
  await until(
    async () => {
      all = await published(url()).catch(() => all);
      return missing().length === 0;
    },
    within,
    () => `${missing().length} of ${ids.length} events are not there, such as ${missing()[0]}`,
    100,
  );
  return all;
}

export function shipped(id: string, more: object = {}) {
  const fact = { id, type: 'transfer', phase: 'shipped', sku: 'S', location: 'dc', transfer: `T-${id}`, qty: 2 };
  return { ...fact, from: 'dc', to: 'shop', occurredAt: new Date().toISOString(), ...more };
}

export async function send(url: () => string, facts: readonly object[]): Promise<void> {
  expect((await askUntilDecided(url, 'POST', '/v1/facts', facts)).status).toBe(200);
}
