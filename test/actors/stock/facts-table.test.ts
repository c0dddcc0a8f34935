/**
 * The stock machine's fold of facts, as a table from facts to the views of all keys. Every row holds for every order of its facts. Figures
 * not named are 0, and onHand, available and atp follow by the contract's formulas.
 */
import { describe, expect, it } from 'vitest';
import {
  adjustment,
  back,
  bookOf,
  closed,
  count,
  type Figures,
  granted,
  type Input,
  order,
  ordersOf,
  receipt,
  received,
  sale,
  shipped,
  step,
  viewOf,
  viewsOf,
} from './given.ts';

/** A place is a location of the SKU mug, or SKU/location. */
type Row = readonly [does: string, inputs: readonly Input[], stands: Readonly<Record<string, Figures>>];

const HIGH = '\u{10000}';
const LAST_OF_BMP = '\uffff';

function table(title: string, rows: readonly Row[]): void {
  describe(title, () => {
    it.each(rows)('%s', (_does, inputs, stands) => {
      const expected = Object.entries(stands)
        .map(
          ([place, figures]) =>
            [...(place.includes('/') ? place.split('/') : ['mug', place]), figures] as [string, string, Figures],
        )
        .sort((a, b) => order(`${a[0]}/${a[1]}`, `${b[0]}/${b[1]}`))
        .map(([sku, location, figures]) => viewOf(sku, location, figures));
      for (const inOrder of ordersOf(inputs)) expect(viewsOf(bookOf(inOrder)), names(inOrder)).toEqual(expected);
    });
  });
}

function names(inputs: readonly Input[]): string {
  return inputs
    .map((input) => ('type' in input ? `${input.type} ${input.id}` : `${input.kind} ${input.id}`))
    .join(', ');
}

table('a sale', [
  ['takes its units off sellable', [receipt('09:00', 10), sale('10:00', 3)], { dc: { sellable: 7 } }],
  ['of stock that is not there is booked and drives the book negative', [sale('10:00', 3)], { dc: { sellable: -3 } }],
  [
    'leaves other locations alone',
    [sale('10:00', 3), receipt('10:00', 5, { location: 'shop' })],
    { dc: { sellable: -3 }, shop: { sellable: 5 } },
  ],
  [
    'of the largest quantity is counted exactly',
    [sale('10:00', 1e9), sale('10:01', 1e9), receipt('11:00', 1)],
    { dc: { sellable: 1 - 2e9 } },
  ],
  [
    'that names a reservation nobody granted is a sale like any other',
    [receipt('09:00', 9), sale('10:00', 2, { reservation: 'r' })],
    { dc: { sellable: 7 } },
  ],
  [
    'that names a held reservation takes its units out of held',
    [receipt('09:00', 9), granted('r', [{ qty: 3 }]), sale('10:00', 2, { reservation: 'r' })],
    { dc: { sellable: 7, held: 1 } },
  ],
  [
    'that names an allocated reservation takes its units out of allocated',
    [receipt('09:00', 9), granted('r', [{ qty: 3 }]), step('confirmed', 'r'), sale('10:00', 2, { reservation: 'r' })],
    { dc: { sellable: 7, allocated: 1 } },
  ],
  [
    'of more than was reserved takes out what was reserved, not more',
    [
      receipt('09:00', 9),
      granted('r', [{ qty: 3 }]),
      granted('s', [{ qty: 1 }]),
      sale('10:00', 5, { reservation: 'r' }),
    ],
    { dc: { sellable: 4, held: 1 } },
  ],
  [
    'of another SKU does not fulfil the reservation it names',
    [granted('r', [{ qty: 3 }]), sale('10:00', 2, { reservation: 'r', sku: 'pan' })],
    { dc: { held: 3 }, 'pan/dc': { sellable: -2 } },
  ],
]);

table('a receipt', [
  ['adds its units to sellable', [receipt('09:00', 10)], { dc: { sellable: 10 } }],
  [
    'adds damaged beside qty, not out of it',
    [receipt('09:00', 10, { damaged: 2 })],
    { dc: { sellable: 10, damaged: 2 } },
  ],
  ['with damaged 0 has none damaged', [receipt('09:00', 10, { damaged: 0 })], { dc: { sellable: 10 } }],
  [
    'adds to one before it',
    [receipt('09:00', 10, { damaged: 1 }), receipt('09:00', 5, { damaged: 2 })],
    { dc: { sellable: 15, damaged: 3 } },
  ],
]);

table('a return', [
  ['to restock is sellable again', [back('10:00', 2, 'restock')], { dc: { sellable: 2 } }],
  ['to inspect stands in inspection', [back('10:00', 2, 'inspect')], { dc: { inspection: 2 } }],
  ['that is damaged stands in damaged', [back('10:00', 2, 'damaged')], { dc: { damaged: 2 } }],
  ['to scrap is recorded only', [back('10:00', 2, 'scrap')], { dc: {} }],
  ['to the vendor is recorded only', [back('10:00', 2, 'vendor')], { dc: {} }],
  [
    'goes by its own disposition whatever others did',
    [
      back('10:00', 1, 'restock'),
      back('10:00', 2, 'inspect'),
      back('10:00', 4, 'damaged'),
      back('10:00', 8, 'scrap'),
      back('10:00', 16, 'vendor'),
    ],
    { dc: { sellable: 1, inspection: 2, damaged: 4 } },
  ],
]);

table('an adjustment', [
  ['moves sellable when it names no bucket', [adjustment('10:00', -4)], { dc: { sellable: -4 } }],
  ['moves sellable when it names it', [adjustment('10:00', 4, { bucket: 'sellable' })], { dc: { sellable: 4 } }],
  ['moves damaged', [adjustment('10:00', 4, { bucket: 'damaged' })], { dc: { damaged: 4 } }],
  ['moves inspection', [adjustment('10:00', 4, { bucket: 'inspection' })], { dc: { inspection: 4 } }],
  [
    'may drive any bucket below zero',
    [adjustment('10:00', -4, { bucket: 'damaged' }), adjustment('10:00', -3, { bucket: 'inspection' })],
    { dc: { damaged: -4, inspection: -3 } },
  ],
  [
    'of two buckets takes from one and gives the other',
    [back('09:00', 3, 'inspect'), adjustment('10:00', -2, { bucket: 'inspection' }), adjustment('10:00', 2)],
    { dc: { inspection: 1, sellable: 2 } },
  ],
]);

table('a transfer', [
  [
    'that is shipped leaves its origin and is in transit to its destination',
    [receipt('09:00', 10), shipped('10:00', 6)],
    { dc: { sellable: 4 }, shop: { inTransit: 6 } },
  ],
  [
    'that is received is sellable there and no longer in transit',
    [shipped('10:00', 6), received('12:00', 6)],
    { dc: { sellable: -6 }, shop: { sellable: 6 } },
  ],
  [
    'received with damage has it damaged beside qty, and both are out of transit',
    [shipped('10:00', 6), received('12:00', 4, { damaged: 2 })],
    { dc: { sellable: -6 }, shop: { sellable: 4, damaged: 2 } },
  ],
  [
    'received in part leaves the rest in transit',
    [shipped('10:00', 6), received('12:00', 2, { damaged: 1 })],
    { dc: { sellable: -6 }, shop: { sellable: 2, damaged: 1, inTransit: 3 } },
  ],
  [
    'received in two goes is out of transit when both are in',
    [shipped('10:00', 6), received('12:00', 2), received('13:00', 4)],
    { dc: { sellable: -6 }, shop: { sellable: 6 } },
  ],
  [
    'shipped in two goes is one transfer',
    [shipped('10:00', 6), shipped('10:30', 4), received('12:00', 7)],
    { dc: { sellable: -10 }, shop: { sellable: 7, inTransit: 3 } },
  ],
  [
    'received before anything was shipped is not less than nothing in transit',
    [received('12:00', 6)],
    { shop: { sellable: 6 } },
  ],
  [
    'received with more than was shipped hides no other transfer',
    [shipped('10:00', 5), received('12:00', 8), shipped('10:00', 4, { transfer: 't2' })],
    { dc: { sellable: -9 }, shop: { sellable: 8, inTransit: 4 } },
  ],
  [
    'over-received by damage hides no other transfer',
    [shipped('10:00', 5), received('12:00', 4, { damaged: 3 }), shipped('10:00', 4, { transfer: 't2' })],
    { dc: { sellable: -9 }, shop: { sellable: 4, damaged: 3, inTransit: 4 } },
  ],
  [
    'with damage on the shipping note ships qty and damages nothing yet',
    [shipped('10:00', 6, { damaged: 2 })],
    { dc: { sellable: -6 }, shop: { inTransit: 6 } },
  ],
  [
    'to where it came from is in transit there',
    [receipt('09:00', 9), shipped('10:00', 6, { to: 'dc' })],
    { dc: { sellable: 3, inTransit: 6 } },
  ],
  [
    'of one id to two places is in transit to that of the latest shipment',
    [shipped('10:00', 6), shipped('10:30', 2, { to: 'kiosk' }), received('11:00', 5)],
    { dc: { sellable: -8 }, kiosk: { inTransit: 3 }, shop: { sellable: 5 } },
  ],
  [
    'of one id to two places at one moment goes to that of the greater id',
    [shipped('10:00', 6, { id: 'b' }), shipped('10:00', 2, { id: 'a', to: 'kiosk' })],
    { dc: { sellable: -8 }, kiosk: {}, shop: { inTransit: 8 } },
  ],
  [
    'that arrives elsewhere is sellable there and no longer in transit',
    [shipped('10:00', 6), received('12:00', 4, { location: 'kiosk', damaged: 1 })],
    { dc: { sellable: -6 }, kiosk: { sellable: 4, damaged: 1 }, shop: { inTransit: 1 } },
  ],
  [
    'that comes back is sellable at its origin again',
    [shipped('10:00', 6), received('12:00', 6, { location: 'dc' })],
    { dc: {}, shop: {} },
  ],
  [
    'whose receiver names itself as the destination ends all the same',
    [shipped('10:00', 6), received('12:00', 6, { location: 'kiosk', to: 'kiosk' })],
    { dc: { sellable: -6 }, kiosk: { sellable: 6 }, shop: {} },
  ],
  [
    'that is closed as lost is no longer in transit',
    [shipped('10:00', 6), closed('12:00', 'lost', 6)],
    { dc: { sellable: -6 }, shop: {} },
  ],
  [
    'may be closed anywhere, and the rest stays in transit',
    [shipped('10:00', 6), closed('12:00', 'lost', 4, { location: 'hub' })],
    { dc: { sellable: -6 }, hub: {}, shop: { inTransit: 2 } },
  ],
  [
    'that was lost and turns up is sellable where it turns up',
    [shipped('10:00', 6), closed('12:00', 'lost', 6), received('13:00', 2, { location: 'kiosk' })],
    { dc: { sellable: -6 }, kiosk: { sellable: 2 }, shop: {} },
  ],
  [
    'of which more was lost than left loses what left, and hides no other transfer',
    [shipped('10:00', 6), closed('12:00', 'lost', 9), shipped('10:00', 4, { transfer: 't2' })],
    { dc: { sellable: -10 }, shop: { inTransit: 4 } },
  ],
  [
    'that was closed as lost too early loses units of a later shipment too',
    [shipped('10:00', 6), closed('09:00', 'lost', 8), shipped('11:00', 4)],
    { dc: { sellable: -10 }, shop: { inTransit: 2 } },
  ],
  [
    'that is corrected is sellable at its origin',
    [receipt('09:00', 10), shipped('10:00', 10), closed('12:00', 'corrected', 9), received('13:00', 1)],
    { dc: { sellable: 9 }, shop: { sellable: 1 } },
  ],
  [
    'that is corrected after the shelf was counted does not double the stock',
    [receipt('09:00', 120), shipped('10:00', 100), count('11:00', 110), closed('12:00', 'corrected', 90)],
    { dc: { sellable: 110 }, shop: { inTransit: 10 } },
  ],
  [
    'that is corrected is so as of the shipment, after a count before it',
    [count('09:00', 120), shipped('10:00', 100), closed('08:00', 'corrected', 90)],
    { dc: { sellable: 110 }, shop: { inTransit: 10 } },
  ],
  [
    'that is corrected before a shipment is known is so as of the correction',
    [count('11:00', 110), closed('12:00', 'corrected', 90)],
    { dc: { sellable: 200 } },
  ],
  [
    'that is corrected and shipped again is corrected as of the latest shipment',
    [shipped('10:00', 100), count('11:00', 110), closed('12:00', 'corrected', 90), shipped('13:00', 5)],
    { dc: { sellable: 195 }, shop: { inTransit: 15 } },
  ],
  [
    'that is corrected and arrives too is not less than nothing in transit',
    [shipped('10:00', 6), closed('12:00', 'corrected', 6), received('13:00', 6)],
    { dc: {}, shop: { sellable: 6 } },
  ],
  [
    'that arrived damaged as a whole is not in transit',
    [shipped('10:00', 6), { ...received('12:00', 1, { damaged: 6 }), qty: 0 } as Input],
    { dc: { sellable: -6 }, shop: { damaged: 6 } },
  ],
]);

table('a count', [
  ['sets sellable', [count('10:00', 8)], { dc: { sellable: 8 } }],
  ['of nothing sets sellable to nothing', [receipt('09:00', 5), count('10:00', 0)], { dc: {} }],
  [
    'covers what happened before it, whenever that arrives',
    [count('10:00', 8), receipt('09:00', 5), sale('09:59', 2)],
    { dc: { sellable: 8 } },
  ],
  [
    'covers what happened at its very moment',
    [count('10:00', 8), sale('10:00', 2), receipt('10:00', 5)],
    { dc: { sellable: 8 } },
  ],
  [
    'is moved by what happened a microsecond later',
    [count('10:00', 8), sale('2026-11-24T10:00:00.000001Z', 2)],
    { dc: { sellable: 6 } },
  ],
  [
    'is moved by what happened later',
    [count('10:00', 8), sale('10:01', 2), receipt('11:00', 5)],
    { dc: { sellable: 11 } },
  ],
  [
    'that is later holds',
    [count('10:00', 8), count('11:00', 5), sale('10:30', 1), sale('11:30', 2)],
    { dc: { sellable: 3 } },
  ],
  [
    'of the same moment with the greater id holds',
    [count('10:00', 8, { id: 'a' }), count('10:00', 5, { id: 'b' })],
    { dc: { sellable: 5 } },
  ],
  [
    'of the same moment with the longer id holds when one begins with the other',
    [count('10:00', 8, { id: 'ab' }), count('10:00', 5, { id: 'a' })],
    { dc: { sellable: 8 } },
  ],
  [
    'of the same moment is not decided by letter case as people sort it',
    [count('10:00', 8, { id: 'B' }), count('10:00', 5, { id: 'a' })],
    { dc: { sellable: 5 } },
  ],
  [
    'of the same moment is decided by UTF-8 bytes: beyond U+FFFF is greater than U+FFFF',
    [count('10:00', 8, { id: HIGH }), count('10:00', 5, { id: LAST_OF_BMP })],
    { dc: { sellable: 8 } },
  ],
  [
    'of the same moment is decided by the low surrogate when the high ones agree',
    [count('10:00', 8, { id: '\u{10001}' }), count('10:00', 5, { id: '\u{10000}z' })],
    { dc: { sellable: 8 } },
  ],
  [
    'of the same moment is decided by the high surrogate when they differ',
    [count('10:00', 8, { id: '\u{1f600}' }), count('10:00', 5, { id: '\u{2f600}' })],
    { dc: { sellable: 5 } },
  ],
  [
    'of the same moment in another offset is of the same moment',
    [
      count('2026-11-24T10:00:00+02:00', 8, { id: 'b' }),
      count('2026-11-24T08:00:00Z', 5, { id: 'a' }),
      sale('2026-11-24T03:00:00-05:00', 2),
    ],
    { dc: { sellable: 8 } },
  ],
  [
    'compares as instants, not as text',
    [count('2026-11-24T10:00:00+02:00', 8, { id: 'b' }), count('2026-11-24T09:00:00Z', 5, { id: 'a' })],
    { dc: { sellable: 5 } },
  ],
  [
    'counts sellable alone',
    [receipt('09:00', 5, { damaged: 2 }), back('09:00', 3, 'inspect'), count('10:00', 8)],
    { dc: { sellable: 8, damaged: 2, inspection: 3 } },
  ],
  [
    'does not count damaged of the same moment either',
    [receipt('10:00', 5, { damaged: 2 }), adjustment('10:00', 4, { bucket: 'damaged' }), count('10:00', 8)],
    { dc: { sellable: 8, damaged: 6 } },
  ],
  [
    'covers both legs of earlier transfers but not what is in transit',
    [shipped('09:00', 6), count('10:00', 8), count('10:00', 3, { location: 'shop' }), received('09:30', 2)],
    { dc: { sellable: 8 }, shop: { sellable: 3, inTransit: 4 } },
  ],
  [
    'leaves reservations as they are',
    [granted('r', [{ qty: 3 }]), count('10:00', 8), sale('09:00', 2, { reservation: 'r' })],
    { dc: { sellable: 8, held: 1 } },
  ],
  [
    'of another location counts nothing here',
    [receipt('09:00', 5), count('10:00', 8, { location: 'shop' })],
    { dc: { sellable: 5 }, shop: { sellable: 8 } },
  ],
]);

table('a reservation', [
  ['that is granted is held', [granted('r', [{ qty: 3 }])], { dc: { held: 3 } }],
  ['that is confirmed is allocated', [granted('r', [{ qty: 3 }]), step('confirmed', 'r')], { dc: { allocated: 3 } }],
  ['that is released claims nothing', [granted('r', [{ qty: 3 }]), step('released', 'r')], { dc: {} }],
  [
    'that is confirmed and released claims nothing',
    [granted('r', [{ qty: 3 }]), step('confirmed', 'r'), step('released', 'r')],
    { dc: {} },
  ],
  ['that has expired claims nothing', [granted('r', [{ qty: 3 }]), step('expired', 'r')], { dc: {} }],
  [
    'that expires partly fulfilled claims nothing, and its sale stays booked',
    [granted('r', [{ qty: 3 }]), sale('10:00', 1, { reservation: 'r' }), step('expired', 'r')],
    { dc: { sellable: -1 } },
  ],
  [
    'of many lines claims each where it stands',
    [granted('r', [{ qty: 3 }, { qty: 2, location: 'shop' }, { qty: 1 }])],
    { dc: { held: 4 }, shop: { held: 2 } },
  ],
  [
    'claims only its lines of this partition',
    [granted('r', [{ qty: 3 }, { qty: 2, sku: 'pan', partition: 1 }])],
    { dc: { held: 3 } },
  ],
  [
    'is fulfilled first where its lines stand',
    [
      granted('r', [{ qty: 3 }, { qty: 2, location: 'shop' }]),
      sale('10:00', 2, { location: 'shop', reservation: 'r' }),
    ],
    { dc: { held: 3 }, shop: { sellable: -2 } },
  ],
  [
    'is fulfilled elsewhere by what is sold beyond the line there',
    [
      granted('r', [{ qty: 3 }, { qty: 2, location: 'shop' }]),
      sale('10:00', 4, { location: 'shop', reservation: 'r' }),
    ],
    { dc: { held: 1 }, shop: { sellable: -4 } },
  ],
]);
