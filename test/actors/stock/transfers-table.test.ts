/** The stock machine's fold of transfers. See view-table.ts for how to read it. */
import { closed, count, type Input, receipt, received, shipped } from './given.ts';
import { table } from './view-table.ts';

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
