import { describe, expect, test } from 'vitest';
import { Pace, type PaceOptions, parseSpeed } from '../../../src/replay/pace.ts';

const NOW = Date.parse('2026-11-24T09:00:00Z');
const facts = (...stamps: string[]) => stamps.map((occurredAt, index) => ({ id: `${index}`, occurredAt }));

function play(options: PaceOptions, list: readonly Record<string, unknown>[]) {
  const pace = new Pace(options, () => NOW);
  return list.map((fact) => {
    const { fact: played, dueMs } = pace.next(fact);
    return { ...played, due: dueMs === undefined ? 'at once' : (dueMs - NOW) / 1000 };
  });
}
const dues = (options: PaceOptions, list: readonly Record<string, unknown>[]) =>
  play(options, list).map(({ due }) => due);
const stamps = (options: PaceOptions, list: readonly Record<string, unknown>[]) =>
  play(options, list).map((fact) => (fact as Record<string, unknown>).occurredAt);

const MONTH = facts(
  '2010-12-01T08:00:00Z',
  '2010-12-01T09:00:00Z',
  '2010-12-01T08:30:00+00:00',
  '2010-12-02T10:00:00+01:00',
);

describe('speed', () => {
  test('60 plays an hour in a minute, by the first fact; what happened before is due then', () => {
    expect(dues({ speed: 60 }, MONTH)).toEqual([0, 60, 30, 1500]);
  });
  test('max waits for nothing', () => {
    expect(dues({ speed: 'max' }, MONTH)).toEqual(Array(4).fill('at once'));
  });
  test('leaves stamps alone', () => {
    expect(stamps({ speed: 60 }, MONTH)).toEqual(MONTH.map((fact) => fact.occurredAt));
  });
  test('plays at once what has no readable moment, as it is', () => {
    expect(play({ speed: 60, fromNow: true }, [{ occurredAt: 'soon' }, {}, { occurredAt: 7 }])).toEqual([
      { occurredAt: 'soon', due: 'at once' },
      { due: 'at once' },
      { occurredAt: 7, due: 'at once' },
    ]);
  });
  test.each([
    ['max', 'max'],
    ['60', 60],
    ['0.5', 0.5],
    ['0', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['fast', undefined],
  ])('reads %j as %j', (text, speed) => expect(parseSpeed(text)).toBe(speed));
});

describe('from now', () => {
  test('stamps facts in the order of the file at max, by the clock, and those of one moment alike', () => {
    expect(stamps({ speed: 'max', fromNow: true }, [...MONTH, ...MONTH.slice(-1)])).toEqual([
      '2026-11-24T09:00:00.000Z',
      '2026-11-24T09:00:00.000001Z',
      '2026-11-24T09:00:00.000002Z',
      '2026-11-24T09:00:00.000003Z',
      '2026-11-24T09:00:00.000003Z',
    ]);
  });
  test('follows the clock when it goes on at max', () => {
    let now = NOW;
    const pace = new Pace({ speed: 'max', fromNow: true }, () => now++);
    const played = MONTH.map((fact) => Date.parse(String(pace.next(fact).fact.occurredAt)) - NOW);
    expect(played).toEqual([0, 1, 2, 3]);
  });
  test.each([0.5, 1, 60, 1e6])(
    'stamps a fact with the moment it is due at speed %d, so none lies in the future',
    (speed) => {
      const list = play({ speed, fromNow: true }, MONTH) as { occurredAt: string; due: number }[];
      for (const { occurredAt, due } of list) expect(Date.parse(occurredAt)).toBe(Math.floor(NOW + due * 1000));
      expect(list.map(({ due }) => due)).toEqual(dues({ speed }, MONTH));
    },
  );
  test('moves what is expected later along, dates as the end of their day, microseconds exactly', () => {
    const fact = {
      occurredAt: '2010-12-01T08:00:00.000001Z',
      eta: '2010-12-03',
      promisedAt: '2010-12-01T09:00:00Z',
      note: '2010-12-01',
    };
    expect(play({ speed: 'max', fromNow: true }, [fact])).toEqual([
      {
        occurredAt: '2026-11-24T09:00:00.000Z',
        eta: '2026-11-27T00:59:59.999998Z',
        promisedAt: '2026-11-24T09:59:59.999999Z',
        note: '2010-12-01',
        due: 'at once',
      },
    ]);
  });
  test('changes no fact that it is given', () => {
    const fact = Object.freeze({ occurredAt: '2010-12-01T08:00:00Z' });
    play({ speed: 'max', fromNow: true }, [fact]);
    expect(fact).toEqual({ occurredAt: '2010-12-01T08:00:00Z' });
  });
});

describe('the clock of a replay', () => {
  test('moves what is expected later by its speed too', () => {
    const transfer = { occurredAt: '2010-12-01T09:00:00Z', eta: '2010-12-01T13:00:00Z' };
    const played = play({ speed: 60, fromNow: true }, [...MONTH.slice(0, 1), transfer]);
    expect(played[1]).toEqual({ occurredAt: '2026-11-24T09:01:00.000Z', eta: '2026-11-24T09:05:00.000Z', due: 60 });
  });
  test('cuts quiet stretches, and keeps what came late before what it came after', () => {
    const list = facts('2010-12-01T08:00:00Z', '2010-12-01T20:00:00Z', '2010-12-01T19:59:00Z', '2010-12-01T20:05:00Z');
    expect(dues({ speed: 60, fromNow: true, longestGapMs: 600_000 }, list)).toEqual([0, 10, 9, 15]);
  });
});
