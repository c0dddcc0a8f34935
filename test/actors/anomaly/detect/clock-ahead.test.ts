/** The detector of clocks that are ahead, and what one of them leaves to the other detectors. */
import { describe, expect, it } from 'vitest';
import { table } from './detector-table.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Shop } from './shop.ts';

const stocked = (qty: number) => () => new Shop().fact('receipt', { qty }).wait(HOUR_MS);

describe('clock_ahead', () => {
  const sold =
    (aheadMs: number, more: object = { device: 'till-2' }) =>
    (shop: Shop) => {
      shop.wait(HOUR_MS);
      const occurredAt = new Date(shop.nowMs + aheadMs).toISOString();
      shop.fact('sale', { qty: 1, occurredAt, ...more }).look();
    };
  table('clock_ahead', stocked(1000), [
    ['in time', sold(0), false],
    ['within the slack', sold(5 * MINUTE_MS), false],
    ['a day ahead', sold(DAY_MS), true],
    ['another device in time', sold(0, { device: 'till-1' }), true],
    ['the clock is set', sold(0), false],
    ['ahead again', sold(10 * MINUTE_MS), true],
  ]);
  it.each([
    [
      'a device',
      { device: 'till-2' },
      { device: 'till-2', aheadSeconds: 3 * 86_400 - 1 },
      'device till-2 at shop is 3 days',
    ],
    ['a location, if no device is named', {}, { aheadSeconds: 3 * 86_400 - 1 }, 'shop is 3 days'],
  ])('says how far the clock of %s is off', (_, more, figures, words) => {
    const shop = stocked(9)();
    sold(3 * DAY_MS, more)(shop);
    const [alarm] = shop.open('clock_ahead');
    expect(alarm).toMatchObject({ location: 'shop', severity: 'warning', figures });
    expect(alarm?.says).toContain(`The clock of ${words} ahead.`);
  });
  it('does not make the facts of others late, and leaves their location its spikes', () => {
    const shop = new Shop().fact('receipt', { qty: 100_000 }).business(28, [30]);
    sold(DAY_MS, { sku: 'other-1', device: 'till-2' })(shop);
    expect(shop.kinds).toEqual(['clock_ahead', 'negative_stock']);
    for (let i = 0; i < 20; i++) shop.wait(MINUTE_MS).fact('sale', { qty: 1 });
    expect(shop.look().kinds).toEqual(['clock_ahead', 'negative_stock', 'sales_spike']);
  });
  it('is judged by what was stored last, in whatever order partitions report', () => {
    const shop = stocked(9)();
    sold(DAY_MS)(shop);
    const now = shop.nowMs * 1000;
    const heard = { location: 'shop', device: 'till-2', facts: 1, late: 0, lateness: 0, minutes: [], at: now, lag: 0 };
    const reading = (recordedAt: number, ahead: number) => ({
      ...heard,
      recordedAt,
      clock: { ahead, lag: 0, recordedAt },
    });
    shop.observer.hear([reading(now - 1, 0)]);
    expect(shop.open('clock_ahead')).toHaveLength(1);
    shop.observer.hear([reading(now + 2_000_000, 0), reading(now + 1_500_000, 3_600_000_000)]);
    expect(shop.open('clock_ahead')).toEqual([]);
  });
  it('knows the least lag of a whole day of each device', () => {
    const shop = stocked(9)();
    for (const lateMs of [3 * HOUR_MS, 2 * HOUR_MS, 5 * HOUR_MS])
      shop.wait(MINUTE_MS).fact('sale', { qty: 1, device: 'till-1' }, lateMs);
    shop
      .look()
      .wait(DAY_MS)
      .fact('sale', { qty: 1, device: 'till-1' }, 9 * HOUR_MS)
      .look()
      .restart();
    const clocks = shop.observer.clocks().filter(({ device }) => device !== undefined);
    expect(clocks).toEqual([{ location: 'shop', device: 'till-1', ahead: 0, lag: (2 * HOUR_MS + 1000) * 1000 }]);
  });
});
