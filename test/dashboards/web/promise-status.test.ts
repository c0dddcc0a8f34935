import { expect, it } from 'vitest';
import { promiseStatus } from '../../../dashboards/web/parts/promise-status.ts';

type Kpi = NonNullable<Parameters<typeof promiseStatus>[0]>;
type System = NonNullable<Parameters<typeof promiseStatus>[1]>;
type Unresolved = NonNullable<Parameters<typeof promiseStatus>[2]>;

const KPI = { oversold: 0, negative: 0, negativeUnits: 0, stockKeys: 3, units: { held: 1, allocated: 2 } } as Kpi;
const SYSTEM = { owners: ['one', 'one'], partitions: 2 } as unknown as System;
const anomaly = (kind: string, severity: string, sku = 'mug') =>
  [{ kind, severity, sku, location: 'dc', state: 'open' }] as unknown as Unresolved;
const SHORT = anomaly('shortfall', 'critical');

it.each([
  ['figures', undefined, SYSTEM, []],
  ['owners', KPI, undefined, []],
  ['anomalies', KPI, SYSTEM, undefined],
])('gives no answer before %s have arrived', (_, kpi, system, unresolved) => {
  expect(promiseStatus(kpi, system, unresolved)).toMatchObject({ word: '…', tone: 'plain' });
});

it.each([
  ['all is covered', KPI, SYSTEM, [], 'Yes', 'All 3 promised units are there.'],
  ['units are oversold', { ...KPI, oversold: 2 }, SYSTEM, [], 'No', '2 of 3 promised units are not there. Count'],
  ['it is known where', { ...KPI, oversold: 1 }, SYSTEM, SHORT, 'No', '1 of 3 promised units is not there: mug at dc.'],
  ['several keys are', { ...KPI, oversold: 3 }, SYSTEM, [...SHORT, ...SHORT], 'No', 'mug at dc and 1 other stock key.'],
  ['a partition has no owner', KPI, { ...SYSTEM, owners: ['one', null] } as System, [], 'Partly', '1 of 2 partitions'],
  ['nothing has come yet', { ...KPI, stockKeys: 0 }, SYSTEM, [], 'No stock', 'No fact has come yet'],
  [
    'a book is below zero',
    { ...KPI, negative: 1, negativeUnits: 4 },
    SYSTEM,
    [],
    'Yes, but',
    'is below zero, by 4 units',
  ],
  ['an anomaly is critical', KPI, SYSTEM, anomaly('phantom_stock', 'critical'), 'Yes, but', '1 critical anomaly'],
])('answers when %s', (_, kpi, system, unresolved, word, says) => {
  expect(promiseStatus(kpi, system, unresolved)).toMatchObject({ word, says: expect.stringContaining(says) });
});
