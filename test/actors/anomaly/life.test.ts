/** The durable life of an anomaly as a table: the stored state, what the detectors or a person report, and the new stored state. */
import { describe, expect, it } from 'vitest';
import type { Alarm } from '../../../actors/anomaly/detect/alarms.ts';
import { reconciled, type StoredAnomaly, stepped } from '../../../actors/anomaly/lifecycle.ts';
import { Refusal } from '../../../actors/ports/refusal.ts';

const ID = '7.negative_stock.00000000000000aa';
const NOW = Date.parse('2026-11-24T10:00:00Z');
const ann = { by: 'ann', why: 'counting' };

const alarm = (more: Partial<Alarm> = {}): Alarm => ({
  kind: 'negative_stock',
  cause: 'mug',
  sku: 'mug',
  location: 'shop',
  at: Date.parse('2026-11-24T09:00:00Z') * 1000,
  episode: 100,
  severity: 'warning',
  says: 'two below',
  figures: { sellable: -2 },
  ...more,
});
const open = reconciled(ID, undefined, alarm(), NOW) as StoredAnomaly;
const acknowledged = stepped(open, 'acknowledge', ann, NOW);
const byPerson = stepped(open, 'resolve', ann, NOW);
const byItself = reconciled(ID, open, undefined, NOW) as StoredAnomaly;

it('opens with what the detectors say', () => {
  expect(open).toEqual({
    id: ID,
    kind: 'negative_stock',
    severity: 'warning',
    sku: 'mug',
    location: 'shop',
    at: '2026-11-24T09:00:00.000Z',
    updatedAt: '2026-11-24T10:00:00.000Z',
    state: 'open',
    data: { sellable: -2, says: 'two below' },
    episode: 100,
  });
});

describe('what the detectors say', () => {
  const worse = alarm({ says: 'nine below', severity: 'critical', figures: { sellable: -9 } });
  const later = alarm({ episode: 200 });
  it.each([
    ['the same of an open one', open, alarm(), 'same', {}],
    ['more of an open one', open, worse, 'changed', { state: 'open', severity: 'critical', data: { sellable: -9 } }],
    ['more of an acknowledged one', acknowledged, worse, 'changed', { state: 'acknowledged', acknowledged: ann }],
    [
      'nothing of an open one',
      open,
      undefined,
      'changed',
      { state: 'resolved', resolved: { why: 'its cause is gone' } },
    ],
    ['nothing of an acknowledged one', acknowledged, undefined, 'changed', { state: 'resolved', acknowledged: ann }],
    ['nothing of a resolved one', byPerson, undefined, 'same', {}],
    ['the same of one that a person resolved', byPerson, alarm(), 'same', {}],
    ['worse of one that a person resolved', byPerson, worse, 'same', {}],
    ['a later episode of one that a person resolved', byPerson, later, 'changed', { state: 'open', episode: 200 }],
    ['an episode that was missed, of an open one', open, later, 'changed', { state: 'open', episode: 200 }],
    ['the same of one that resolved by itself', byItself, alarm(), 'changed', { state: 'open' }],
  ])('%s', (_, stored, said, change, then) => {
    const next = reconciled(ID, stored, said, NOW + 1000);
    if (change === 'same') expect(next).toBe(stored);
    else expect(next).toMatchObject(then);
  });

  it('an acknowledgement does not outlive its episode', () => {
    const resolved = reconciled(ID, acknowledged, undefined, NOW) as StoredAnomaly;
    const again = reconciled(ID, resolved, later, NOW);
    expect(again).toMatchObject({ state: 'open' });
    expect(again?.acknowledged).toBeUndefined();
    expect(again?.resolved).toBeUndefined();
  });
});

describe('what people do', () => {
  it.each([
    ['acknowledge', open, 'acknowledged'],
    ['resolve', open, 'resolved'],
    ['resolve', acknowledged, 'resolved'],
  ] as const)('%s', (step, stored, state) => {
    expect(stepped(stored, step, ann, NOW)).toMatchObject({
      state,
      [state]: { ...ann, at: '2026-11-24T10:00:00.000Z' },
    });
  });
  it.each([
    ['acknowledge', acknowledged],
    ['resolve', byPerson],
    ['resolve', byItself],
  ] as const)('%s again changes nothing', (step, stored) => {
    expect(stepped(stored, step, { by: 'tom', why: 'too' }, NOW)).toBe(stored);
  });
  it('refuses to acknowledge what is resolved', () => {
    expect(() => stepped(byItself, 'acknowledge', ann, NOW)).toThrow(Refusal);
  });
});
