/**
 * The detectors as tables: what raises each kind, what does not, and what ends it. Every table also runs with a restart before each step.
 */
import { describe, expect, it } from 'vitest';
import { stands } from '../../stock/given.ts';
import { table } from './detector-table.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Shop } from './shop.ts';

const stocked = (qty: number) => () => new Shop().fact('receipt', { qty }).wait(HOUR_MS);

describe('negative_stock', () => {
  table('negative_stock', stocked(2), [
    ['the last is sold', (shop) => shop.fact('sale', { qty: 2 }), false],
    ['one more is sold', (shop) => shop.fact('sale', { qty: 1 }), true],
    ['a late delivery of as much', (shop) => shop.fact('receipt', { qty: 1 }), false],
  ]);
  it('is one for as long as it lasts, keeps its beginning, and is never critical, because nothing is promised', () => {
    const shop = stocked(1)().fact('sale', { qty: 3 });
    const [first] = shop.open('negative_stock');
    shop.wait(HOUR_MS).fact('sale', { qty: 9 });
    const [later] = shop.open('negative_stock');
    expect(first).toMatchObject({ severity: 'warning', figures: { sellable: -2 } });
    expect(later).toMatchObject({
      at: first?.at,
      episode: first?.episode,
      severity: 'warning',
      figures: { sellable: -11 },
    });
  });
  it.each(['damaged', 'inspection'] as const)('is an anomaly of its own for the bucket %s', (bucket) => {
    const shop = stocked(1)().fact('adjustment', { delta: -2, reason: 'binned', bucket });
    expect(shop.open('negative_stock')).toMatchObject([{ figures: { [bucket]: -2 } }]);
    shop.fact('sale', { qty: 3 });
    expect(shop.open('negative_stock')).toHaveLength(2);
    shop.fact('adjustment', { delta: 2, reason: 'found', bucket });
    expect(shop.open('negative_stock')).toMatchObject([{ figures: { sellable: -2 } }]);
  });

  it('has another episode, and the same id, when it comes again', () => {
    const shop = stocked(1)().fact('sale', { qty: 3 });
    const [[id, first] = []] = [...shop.observer.open()];
    shop.fact('receipt', { qty: 5 }).look().wait(HOUR_MS).fact('sale', { qty: 9 });
    const [[again, second] = []] = [...shop.observer.open()];
    expect(again).toBe(id);
    expect(second?.episode).toBeGreaterThan(first?.episode ?? Number.POSITIVE_INFINITY);
  });
});

describe('shortfall', () => {
  table('shortfall', stocked(10), [
    ['all is promised', (shop) => shop.hold('r1', 10), false],
    ['three turn out broken', (shop) => shop.fact('adjustment', { delta: -3, reason: 'broken' }), true],
    ['the promise is confirmed', (shop) => shop.step('confirmed', 'r1'), true],
    ['it is fulfilled', (shop) => shop.fact('sale', { qty: 10, reservation: 'r1' }), false],
  ]);
  table('shortfall', stocked(10), [
    ['more is sold than there is, with nothing promised', (shop) => shop.fact('sale', { qty: 12 }), false],
  ]);
  table('shortfall', stocked(10), [
    ['promised', (shop) => shop.hold('r1', 8), false],
    ['sold from under it', (shop) => shop.fact('sale', { qty: 5 }), true],
    ['the hold expires', (shop) => shop.step('expired', 'r1'), false],
  ]);
  it('ends when the change of a reservation that caused it is undone', () => {
    const line = (location: string, qty: number) => [{ location, qty, partition: 7 }];
    const shop = stocked(10)().decide(stands('r', 1, line('shop', 2), { home: 7 }));
    shop.decide({ ...stands('r', 2, line('kiosk', 8), { home: 7 }), kind: 'grown' });
    expect(shop.open('shortfall')).toMatchObject([{ location: 'kiosk', figures: { short: 8 } }]);
    shop.decide({ kind: 'undone', id: 'r', attempt: [1, 2], atMs: shop.nowMs, parts: [[7, 2]] });
    expect(shop.open('shortfall')).toEqual([]);
  });
});

describe('transfer_overdue, transfer_short', () => {
  const eta = () => new Date(Date.parse('2026-01-05T00:00:00Z') + DAY_MS).toISOString();
  const ends = { transfer: 't1', from: 'dc', to: 'shop' };
  const sent = () => new Shop().fact('transfer', { ...ends, phase: 'shipped', location: 'dc', qty: 10, eta: eta() });
  const got =
    (qty: number, damaged = 0) =>
    (shop: Shop) =>
      shop.fact('transfer', { ...ends, phase: 'received', qty, damaged });
  const factIds = (ms: number) => (shop: Shop) => shop.wait(ms).fact('sale', { sku: 'other', qty: 1 });
  table('transfer_overdue', sent, [
    ['on its day', factIds(DAY_MS), false],
    ['within the grace', factIds(3 * HOUR_MS), false],
    ['after it', factIds(2 * HOUR_MS), true],
    ['a part arrives', got(4), false],
  ]);
  table('transfer_overdue', sent, [
    ['after its grace, with nobody heard since', (shop) => shop.wait(DAY_MS + 5 * HOUR_MS), true],
    [
      'a new date',
      (shop) => {
        const later = new Date(shop.nowMs + DAY_MS).toISOString();
        shop.fact('transfer', { ...ends, phase: 'shipped', location: 'dc', qty: 1, eta: later });
      },
      false,
    ],
  ]);
  table('transfer_short', sent, [
    ['a part arrives', got(6), false],
    ['the rest has time', factIds(3 * HOUR_MS), false],
    ['and does not come', factIds(2 * HOUR_MS), true],
    ['another part', got(2), true],
    ['the rest, damaged', got(1, 1), false],
  ]);
  it('uses the usual time of the lane where no eta was given', () => {
    const shop = new Shop().fact('transfer', { ...ends, phase: 'shipped', location: 'dc', qty: 10 });
    expect(
      shop
        .wait(3 * DAY_MS)
        .look()
        .open('transfer_overdue'),
    ).toEqual([]);
    expect(
      shop
        .wait(5 * HOUR_MS)
        .look()
        .open('transfer_overdue'),
    ).toHaveLength(1);
  });
});

describe('receipt_short', () => {
  table('receipt_short', stocked(10), [
    ['whole', (shop) => shop.fact('receipt', { qty: 20 }), false],
    ['one of a hundred broken', (shop) => shop.fact('receipt', { qty: 99, damaged: 1 }), false],
    ['a tenth broken', (shop) => shop.fact('receipt', { qty: 18, damaged: 2 }), true],
    ['some written off', (shop) => shop.fact('adjustment', { delta: -1, reason: 'scrap', bucket: 'damaged' }), true],
    ['all', (shop) => shop.fact('adjustment', { delta: -2, reason: 'scrap', bucket: 'damaged' }), false],
  ]);
  table('receipt_short', stocked(10), [
    ['broken', (shop) => shop.fact('receipt', { qty: 5, damaged: 5 }), true],
    ['a month later', (shop) => shop.wait(31 * DAY_MS), false],
  ]);
});

const MUGS = [30, 150, 290, 410, 555];
/** Four weeks of business in which the mug is in stock and sells five times a day. */
const known =
  (mugs: readonly number[] = MUGS, more = {}) =>
  () =>
    new Shop().fact('receipt', { qty: 100_000 }).business(28, mugs, more);

describe('phantom_stock', () => {
  table('phantom_stock', known(), [
    ['two days without', (shop) => shop.business(2, []), false],
    ['a week without', (shop) => shop.business(5, []), true],
    ['a sale', (shop) => shop.wait(9 * HOUR_MS).fact('sale', { qty: 1 }), false],
  ]);
  table('phantom_stock', known(), [
    ['two weeks in which the whole shop is closed', (shop) => shop.wait(14 * DAY_MS), false],
  ]);
  table('phantom_stock', known(), [
    ['a week without', (shop) => shop.business(7, []), true],
    ['a count finds it', (shop) => shop.fact('count', { counted: 90_000 }), false],
  ]);
  table('phantom_stock', known(), [
    ['all of it is written off', (shop) => shop.fact('count', { counted: 0 }), false],
    ['a week without', (shop) => shop.business(7, []), false],
    ['it comes again', (shop) => shop.fact('receipt', { qty: 50 }), false],
    ['and is sold as before', (shop) => shop.business(2, MUGS), false],
    ['a week without', (shop) => shop.business(8, []), true],
  ]);
  table('phantom_stock', known([30]), [
    ['what is sold once a day rests for a week', (shop) => shop.business(7, []), false],
  ]);
});

it('says how unlikely the silence of a phantom is by now, and changes it only with its words', () => {
  const shop = known()().business(5, []);
  const [first] = shop.open('phantom_stock');
  shop.observer.takeChanged();
  const changes = () =>
    [...shop.look().observer.takeChanged().values()].filter((each) => each?.kind === 'phantom_stock');
  expect(changes()).toEqual([]);
  shop.business(4, []);
  const [later] = changes();
  expect(later).toMatchObject({ at: first?.at, episode: first?.episode });
  const [before, after] = [first, later].map((each) => each?.figures as { expected: number; probability: number });
  expect(after?.expected).toBeGreaterThan(before?.expected ?? Number.NaN);
  expect(after?.probability).toBeLessThan(before?.probability ?? Number.NaN);
  expect(first?.says).toMatch(
    /^99\d{3} units on the book, and no sale where about [\d.]+ were to be expected\. If it were on the shelf, this would happen one time in \d+\.$/,
  );
  shop.restart();
  expect(changes()).toEqual([]);
  shop.fact('adjustment', { delta: -10, reason: 'found broken' });
  expect(changes()).toMatchObject([{ figures: { sellable: (later?.figures.sellable as number) - 10 } }]);
});

describe('sales_spike', () => {
  const burst = (times: number) => (shop: Shop) => {
    shop.wait(8 * HOUR_MS).fact('sale', { sku: 'other-0', qty: 1 });
    for (let i = 0; i < times; i++) shop.wait(3 * MINUTE_MS).fact('sale', { qty: 1 });
  };
  const midnight = (shop: Shop) => shop.wait(DAY_MS - (shop.nowMs % DAY_MS));
  table('sales_spike', known(), [['twice as many as usual', burst(10), false]]);
  table('sales_spike', known(), [
    ['eight times as many', burst(40), true],
    ['the next morning', (shop) => midnight(shop), true],
    ['when that day was as always', (shop) => shop.business(1, MUGS), false],
  ]);
  table('sales_spike', known(), [
    [
      'everything sells eight times as much',
      (shop) => {
        shop.wait(8 * HOUR_MS);
        for (let i = 0; i < 480; i++) shop.wait(MINUTE_MS).fact('sale', { sku: `other-${i % 10}`, qty: 1 });
        for (let i = 0; i < 40; i++) shop.wait(MINUTE_MS).fact('sale', { qty: 1 });
      },
      false,
    ],
  ]);
  it('takes the lines of one minute for one', () => {
    const shop = known()().wait(8 * HOUR_MS);
    for (let i = 0; i < 60; i++) shop.fact('sale', { qty: 1 });
    expect(shop.open('sales_spike')).toEqual([]);
  });
  it('says nothing before a week is known', () => {
    const shop = new Shop().fact('receipt', { qty: 1000 }).business(5, [30]);
    burst(60)(shop);
    expect(shop.open('sales_spike')).toEqual([]);
  });
});

describe('return_spike', () => {
  const back = (times: number) => (shop: Shop) => {
    shop.wait(9 * HOUR_MS);
    for (let i = 0; i < times; i++) shop.wait(5 * MINUTE_MS).fact('return', { qty: 1, disposition: 'inspect' });
  };
  table('return_spike', known(), [['two come back', back(2), false]]);
  table('return_spike', known(), [
    ['eight come back', back(8), true],
    ['two days later', (shop) => shop.wait(2 * DAY_MS - (shop.nowMs % DAY_MS)).business(1, MUGS), false],
  ]);
});

describe('late_facts', () => {
  const late = (times: number, ms: number) => (shop: Shop) => {
    for (let i = 0; i < times; i++) shop.wait(MINUTE_MS).fact('sale', { qty: 1, device: 'till-2' }, ms);
  };
  table('late_facts', stocked(1000), [
    ['in time', late(20, 0), false],
    ['an hour late', late(20, HOUR_MS), false],
    ['a few that are five hours late', late(5, 5 * HOUR_MS), false],
    ['many', late(20, 5 * HOUR_MS), true],
    ['some in time', late(10, 0), true],
    ['more', late(20, 0), false],
  ]);
  it('names the device, and not the location of which it is one', () => {
    const shop = stocked(1000)();
    late(30, 5 * HOUR_MS)(shop);
    expect(shop.look().open('late_facts')).toMatchObject([
      { location: 'shop', figures: { device: 'till-2', hours: 5 } },
    ]);
  });
  it('takes nothing for late that comes in order while an old file is replayed', () => {
    const shop = new Shop();
    const behind = 5 * 365 * DAY_MS;
    // The wall clock is stopped. Each fact is stored at the same moment, five years later.
    for (let day = 0; day < 30; day++) {
      const left = behind - day * DAY_MS;
      shop.fact('sale', { qty: 1 }, left).wait(DAY_MS);
    }
    expect(shop.look().open('late_facts')).toEqual([]);
  });
});

describe('device_silent', () => {
  const weeks = () => new Shop().fact('receipt', { qty: 100_000 }).business(28, MUGS);
  table('device_silent', weeks, [
    ['a Sunday and its nights', (shop) => shop.business(6, MUGS).wait(32 * HOUR_MS), false],
    ['all of Monday', (shop) => shop.wait(16 * HOUR_MS), true],
  ]);
  it('tells of the location alone when all of it is silent, and excuses its devices for that time', () => {
    const shop = weeks();
    shop.wait(3 * DAY_MS).look();
    expect(shop.open('device_silent')).toMatchObject([{ location: 'shop', severity: 'critical' }]);
    expect(shop.open('device_silent')[0]?.figures.device).toBeUndefined();
    shop
      .wait(9 * HOUR_MS)
      .fact('sale', { qty: 1 })
      .look();
    expect(shop.open('device_silent')).toEqual([]);
  });
  it('tells of a device when others of its location are heard, and ends when it is', () => {
    const shop = weeks().business(3, MUGS, { device: 'till-2' });
    expect(shop.open('device_silent')).toMatchObject([{ severity: 'warning', figures: { device: 'till' } }]);
    shop.fact('sale', { qty: 1, device: 'till' }).look();
    expect(shop.open('device_silent')).toEqual([]);
  });
  it('says nothing while an old file is replayed, and nothing for as long as the file was silent', () => {
    const shop = new Shop();
    // Three weeks of facts are stored within a minute, two years later. Then the file has a gap of a week.
    const wall = shop.nowMs + 730 * DAY_MS;
    const begin = shop.nowMs;
    for (let i = 0; i < 21 * 24; i++) {
      shop.nowMs = begin + i * HOUR_MS;
      shop.fact('sale', { qty: 1 }, wall + i * 100 - shop.nowMs);
      shop.observer.hear(shop.observer.takeHeard());
    }
    shop.observer.tick(wall + 21 * 24 * 100 + 1000);
    expect(shop.kinds).toEqual(['negative_stock']);
  });
  it('forgets who has been gone for long', () => {
    const shop = weeks()
      .wait(3 * DAY_MS)
      .look();
    expect(shop.kinds).toContain('device_silent');
    expect(
      shop
        .wait(60 * DAY_MS)
        .look()
        .open('device_silent'),
    ).toEqual([]);
  });
});

describe('reservation_hoarding', () => {
  const many =
    (holds: number, qty: number, channel = 'marketplace') =>
    (shop: Shop) => {
      for (let i = 0; i < holds; i++) shop.hold(`${channel}-${i}`, qty, { channel, purpose: 'promotion' });
    };
  table('reservation_hoarding', stocked(100), [['one great order', many(1, 90), false]]);
  table('reservation_hoarding', stocked(100), [
    ['half in small holds', many(10, 5), false],
    ['nearly all', (shop) => many(8, 4, 'marketplace-x')(shop), false],
  ]);
  table('reservation_hoarding', stocked(100), [
    ['nearly all, of one channel', many(17, 5), true],
    [
      'a few released',
      (shop) => {
        for (let i = 0; i < 6; i++) shop.step('released', `marketplace-${i}`);
      },
      true,
    ],
    [
      'half released',
      (shop) => {
        for (let i = 6; i < 9; i++) shop.step('released', `marketplace-${i}`);
      },
      false,
    ],
  ]);
  const bots = (rounds: number) => (shop: Shop) => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 5; i++) shop.hold(`bot-${shop.nowMs}-${i}`, 8);
      const began = shop.nowMs;
      shop.look().wait(15 * MINUTE_MS);
      if (round < rounds - 1) for (let i = 0; i < 5; i++) shop.step('expired', `bot-${began}-${i}`);
    }
  };
  const honest = (shop: Shop) => {
    for (let i = 0; i < 30; i++) shop.fact('receipt', { sku: `s${i}`, qty: 9 }).hold(`h${i}`, 1, { sku: `s${i}` });
    for (let i = 0; i < 30; i++) shop.step(i % 2 === 0 ? 'expired' : 'confirmed', `h${i}`);
  };
  table('reservation_hoarding', stocked(100), [
    ['others leave half of their carts', honest, false],
    ['a bot holds, lets go and holds again', bots(5), true],
    [
      'it is confirmed, after all',
      (shop) => {
        const held = [...shop.book.parts.values()].filter(
          (part) => part.id.startsWith('bot') && part.lines[0]?.claimed !== 0,
        );
        for (const part of held) shop.step('confirmed', part.id);
      },
      false,
    ],
  ]);
});
