/** The life of a reservation in the decisions of version 0.1, as a table: what was granted, and the effect of each step or sale. */
import { describe, expect, it } from 'vitest';
import { endedAtMs } from '../../../actors/stock/reservation.ts';
import type { ReservationPart } from '../../../actors/stock/state.ts';
import { bookOf, granted, type Input, ordersOf, receipt, sale, statusOfParts, step, viewOf, viewsOf } from './given.ts';

/** The parts of reservation r after these inputs, one for each partition that knows it. */
function partsOf(inputs: readonly Input[], partitions: readonly number[] = [0]): ReservationPart[] {
  return partitions.flatMap((partition) => {
    const part = bookOf(
      inputs.filter((input) => 'type' in input || input.parts.some(([each]) => each === partition)),
      partition,
    ).parts.get('r');
    return part === undefined ? [] : [part];
  });
}

const three = granted('r', [{ qty: 3 }]);
const two = granted('r', [{ qty: 3 }, { qty: 2, location: 'shop' }]);
const sold = (qty: number, location = 'dc', at = '10:00') => sale(at, qty, { location, reservation: 'r' });
const confirmed = step('confirmed', 'r', 2000);
const released = step('released', 'r', 3000);
const expired = step('expired', 'r', 4000);

interface LifeRow {
  readonly does: string;
  readonly inputs: readonly Input[];
  readonly status: string;
}

const rows: readonly LifeRow[] = [
  {
    does: 'that is granted is held, until its time is over',
    inputs: [three],
    status: 'held',
  },
  {
    does: 'that is confirmed is allocated, and its time is never over',
    inputs: [three, confirmed],
    status: 'allocated',
  },
  {
    does: 'that is released cannot be confirmed',
    inputs: [three, released],
    status: 'released',
  },
  {
    does: 'that is allocated can be released',
    inputs: [three, confirmed, released],
    status: 'released',
  },
  {
    does: 'that has expired cannot be confirmed',
    inputs: [three, expired],
    status: 'expired',
  },
  {
    does: 'that is released and expired is released',
    inputs: [three, released, expired],
    status: 'released',
  },
  {
    does: 'that was confirmed and expired is expired',
    inputs: [three, confirmed, expired],
    status: 'expired',
  },
  {
    does: 'that is sold in part is still held',
    inputs: [three, sold(2)],
    status: 'held',
  },
  {
    does: 'that is sold in part is still allocated',
    inputs: [three, confirmed, sold(2)],
    status: 'allocated',
  },
  {
    does: 'that is sold is fulfilled, and steps are harmless',
    inputs: [three, sold(3)],
    status: 'fulfilled',
  },
  {
    does: 'that is sold in several sales is fulfilled',
    inputs: [three, sold(1), sold(2, 'dc', '11:00')],
    status: 'fulfilled',
  },
  { does: 'that is oversold is fulfilled', inputs: [three, sold(7)], status: 'fulfilled' },
  {
    does: 'that is sold at another location is fulfilled',
    inputs: [three, sold(3, 'shop')],
    status: 'fulfilled',
  },
  {
    does: 'that is sold though it was released is fulfilled: the goods are gone',
    inputs: [three, released, sold(3)],
    status: 'fulfilled',
  },
  {
    does: 'that is sold though it had expired is fulfilled',
    inputs: [three, expired, sold(3)],
    status: 'fulfilled',
  },
  {
    does: 'that expired partly fulfilled is expired',
    inputs: [three, sold(2), expired],
    status: 'expired',
  },
  {
    does: 'with one of two lines sold is held',
    inputs: [two, sold(3)],
    status: 'held',
  },
  {
    does: 'with both lines sold is fulfilled',
    inputs: [two, sold(3), sold(2, 'shop')],
    status: 'fulfilled',
  },
  {
    does: 'with both lines sold from one location is fulfilled',
    inputs: [two, sold(5, 'shop')],
    status: 'fulfilled',
  },
];

describe('a reservation', () => {
  it.each(rows.map((row) => [row.does, row] as const))('%s', (_does, { inputs, status }) => {
    for (const inOrder of ordersOf(inputs)) {
      const parts = partsOf(inOrder);
      expect(statusOfParts(parts)).toBe(status);
    }
  });

  it('is not fulfilled by a sale before it is granted', () => {
    const parts = partsOf([sold(3)]);
    expect([statusOfParts(parts), parts[0]?.granted, endedAtMs(parts[0] as ReservationPart)]).toEqual([
      'held',
      false,
      parts[0]?.soldAtMs,
    ]);
  });

  it('counts what a line has from its own location before what it lacks from others', () => {
    for (const inOrder of ordersOf([two, sold(4, 'shop'), sold(1, 'kiosk', '11:00')])) {
      expect(partsOf(inOrder)[0]?.lines.map((line) => line.fulfilled)).toEqual([3, 2]);
    }
    for (const inOrder of ordersOf([two, sold(1, 'shop'), sold(1, 'kiosk', '11:00')])) {
      expect(partsOf(inOrder)[0]?.lines.map((line) => line.fulfilled)).toEqual([1, 1]);
    }
  });

  it('frees what it claimed when it expires partly fulfilled', () => {
    const book = bookOf([receipt('09:00', 10), three, sold(1), expired]);
    expect(viewsOf(book)).toEqual([viewOf('mug', 'dc', { sellable: 9 })]);
  });

  it('that is granted anew stands as the new grant says, whatever became of the old one', () => {
    const anew = granted('r', [{ qty: 1, location: 'shop' }]);
    for (const before of [[], [confirmed], [released], [expired], [confirmed, released]]) {
      const book = bookOf([three, ...before, anew]);
      expect(viewsOf(book)).toEqual([viewOf('mug', 'dc', {}), viewOf('mug', 'shop', { held: 1 })]);
      expect(statusOfParts([book.parts.get('r') as ReservationPart])).toBe('held');
    }
  });

  it('has ended at its last step or its last sale, and not while it lives', () => {
    const ended = (inputs: readonly Input[]) =>
      ordersOf(inputs).map((inOrder) => endedAtMs(partsOf(inOrder)[0] as ReservationPart));
    const soldAtMs = Date.UTC(2026, 10, 24, 11);
    expect(new Set(ended([three]))).toEqual(new Set([0]));
    expect(new Set(ended([three, confirmed, sold(2)]))).toEqual(new Set([0]));
    expect(new Set(ended([three, released]))).toEqual(new Set([3000]));
    expect(new Set(ended([three, expired, released]))).toEqual(new Set([4000]));
    expect(new Set(ended([three, sold(1), sold(2, 'dc', '11:00')]))).toEqual(new Set([soldAtMs]));
    expect(new Set(ended([three, released, sold(1, 'dc', '11:00')]))).toEqual(new Set([soldAtMs]));
  });
});

describe('a reservation of two partitions', () => {
  const both = granted('r', [{ qty: 3 }, { qty: 2, sku: 'pan', partition: 1 }]);
  const at = (kind: 'confirmed' | 'released' | 'expired', ...partitions: number[]) => ({
    ...step(kind, 'r', 2000),
    parts: partitions.map((partition) => [partition, 1] as const),
  });
  it.each([
    ['is held until both parts are confirmed', [both, at('confirmed', 0)], 'held'],
    ['is allocated when both parts are confirmed', [both, at('confirmed', 0, 1)], 'allocated'],
    ['is released when one part is', [both, at('confirmed', 0, 1), at('released', 1)], 'released'],
    ['is expired when one part is', [both, at('expired', 0)], 'expired'],
  ] as const)('%s', (_does, inputs, status) => {
    const parts = partsOf(inputs, [0, 1]);
    expect(parts.map((part) => part.lines.map((line) => line.qty))).toEqual([[3], [2]]);
    expect(statusOfParts(parts)).toBe(status);
  });

  it('is fulfilled only when both parts are', () => {
    const first = partsOf([both, sold(3)], [0]);
    const rest = partsOf([both, sale('10:00', 2, { sku: 'pan', reservation: 'r' })], [1]);
    const unsold = partsOf([both], [1]);
    expect([statusOfParts([...first, ...rest]), statusOfParts([...first, ...unsold])]).toEqual(['fulfilled', 'held']);
  });
});
