/** The stock machine's fold of facts. See view-table.ts for how to read it. */
import { adjustment, back, count, granted, receipt, received, sale, shipped, step } from './given.ts';
import { table } from './view-table.ts';

const HIGH = '\u{10000}';
const LAST_OF_BMP = '\uffff';

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
