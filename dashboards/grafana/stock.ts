/** Stock and anomalies: how much stock there is, where it is short, what has moved, and what looks wrong. */
import { ON_HAND_SUM } from '../../streams/buckets.ts';
import type { Board } from './board.ts';
import { NODE, PLACE, quantile, rate, share } from './queries.ts';

const located = (name: string, by = '', ...matchers: string[]) =>
  `sum${by === '' ? '' : ` by (${by}) `}(holdfast_${name}{${[PLACE, ...matchers].join(', ')}})`;
const moved = (name: string, window = '$__rate_interval') =>
  `sum by (location) (rate(holdfast_${name}{${PLACE}}[${window}]))`;
const over = (name: string, ...matchers: string[]) =>
  `sum(increase(holdfast_${name}{${[NODE, ...matchers].join(', ')}}[$__range]))`;

/** How sums over stock keys treat a book below 0 (SB3). */
const PARTS = 'A bucket below 0 counts as 0 here and has a panel of its own, "Below zero".';

export const STOCK: Board = {
  uid: 'stock',
  title: 'Holdfast: stock and anomalies',
  description: 'How much there is and where it is short, what moved, and what looks wrong.',
  locations: true,
  sections: [
    {
      title: 'Now',
      panels: [
        {
          kind: 'now',
          title: 'On hand',
          description: `Units that are physically there, in any condition. ${PARTS}`,
          unit: 'suffix: units',
          width: 4,
          queries: [{ expr: located('units', '', 'bucket="on_hand"'), legend: 'on hand' }],
        },
        {
          kind: 'now',
          title: 'Available to promise',
          description: 'Units that may be promised now. They are part of the units on hand.',
          unit: 'suffix: units',
          width: 4,
          queries: [{ expr: located('units', '', 'bucket="atp"'), legend: 'available to promise' }],
        },
        {
          kind: 'now',
          title: 'In transit',
          description: 'Units that left their origin and were not received.',
          unit: 'suffix: units',
          width: 4,
          queries: [{ expr: located('units', '', 'bucket="in_transit"'), legend: 'in transit' }],
        },
        {
          kind: 'now',
          title: 'Stock-outs',
          description: 'Stock keys that had stock once and have nothing sellable now.',
          unit: 'none',
          width: 4,
          queries: [{ expr: located('stock_outs'), legend: 'stock-outs' }],
        },
        {
          kind: 'now',
          title: 'Below zero',
          description:
            'How far books are below 0: units went that no receipt or count explains. Count these stock keys.',
          unit: 'suffix: units',
          width: 4,
          limits: { warning: 1 },
          queries: [{ expr: located('negative_units'), legend: 'below zero' }],
        },
        {
          kind: 'now',
          title: 'Oversold',
          description: 'Held and allocated units that are not there.',
          unit: 'suffix: units',
          width: 4,
          limits: { warning: 1, critical: 20 },
          queries: [{ expr: located('oversold_units'), legend: 'oversold' }],
        },
      ],
    },
    {
      title: 'Anomalies',
      panels: [
        {
          kind: 'bars',
          title: 'Open anomalies by kind',
          description: 'Anomalies that are not resolved. Acknowledge and resolve them on the page.',
          unit: 'none',
          width: 8,
          opens: { view: 'anomalies?kind=', label: 'kind' },
          limits: { warning: 1 },
          queries: [{ expr: `sum by (kind) (holdfast_anomalies_open{${NODE}})`, legend: '{{kind}}' }],
        },
        {
          kind: 'stacked',
          title: 'Open anomalies over time',
          description:
            'A step in many kinds at once is usually one cause: a device, a delivery, a system that sends wrong facts.',
          unit: 'none',
          width: 8,
          opens: { view: 'anomalies?kind=', label: 'kind' },
          queries: [{ expr: `sum by (kind) (holdfast_anomalies_open{${NODE}})`, legend: '{{kind}}' }],
        },
        {
          kind: 'time',
          title: 'Anomalies raised an hour',
          description: 'How many were opened, by kind, as a rate over the shown step.',
          unit: 'none',
          width: 8,
          opens: { view: 'anomalies?kind=', label: 'kind' },
          queries: [{ expr: `3600 * ${rate('anomalies_total', 'kind')}`, legend: '{{kind}}' }],
        },
      ],
    },
    {
      title: 'Stock over time',
      panels: [
        {
          kind: 'time',
          title: 'Units by bucket',
          description: `On hand is ${ON_HAND_SUM}. Available to promise is what of the sellable is neither held nor allocated. ${PARTS}`,
          unit: 'suffix: units',
          width: 12,
          queries: [{ expr: located('units', 'bucket'), legend: '{{bucket}}' }],
        },
        {
          kind: 'stacked',
          title: 'Age of stock',
          description:
            'Units on hand by how long ago their stock key last got any. What only grows older does not sell.',
          unit: 'suffix: units',
          width: 12,
          queries: [{ expr: located('aged_units', 'age'), legend: '{{age}}' }],
        },
        {
          kind: 'bars',
          title: 'Available to promise by location',
          description: 'The 20 locations with most. Locations beyond the first 200 by name count as other.',
          unit: 'suffix: units',
          width: 6,
          opens: { view: 'locations/', label: 'location' },
          queries: [{ expr: `topk(20, ${located('units', 'location', 'bucket="atp"')})`, legend: '{{location}}' }],
        },
        {
          kind: 'bars',
          title: 'Stock-outs by location',
          description: 'The 20 locations with most stock keys that have nothing sellable.',
          unit: 'none',
          width: 6,
          opens: { view: 'locations/', label: 'location' },
          queries: [{ expr: `topk(20, ${located('stock_outs', 'location')})`, legend: '{{location}}' }],
        },
        {
          kind: 'bars',
          title: 'Negative stock keys by location',
          description: 'The 20 locations with most stock keys that have a bucket below 0: where to count first.',
          unit: 'none',
          width: 6,
          opens: { view: 'locations/', label: 'location' },
          limits: { warning: 1 },
          queries: [{ expr: `topk(20, ${located('negative_stock_keys', 'location')})`, legend: '{{location}}' }],
        },
        {
          kind: 'bars',
          title: 'Oversold units by location',
          description: 'The 20 locations with most held and allocated units that are not there.',
          unit: 'suffix: units',
          width: 6,
          opens: { view: 'locations/', label: 'location' },
          limits: { warning: 1 },
          queries: [{ expr: `topk(20, ${located('oversold_units', 'location')})`, legend: '{{location}}' }],
        },
      ],
    },
    {
      title: 'What moved',
      panels: [
        {
          kind: 'time',
          title: 'Units sold',
          description: 'Units sold each second, by location.',
          unit: 'suffix: units/s',
          width: 8,
          opens: { view: 'locations/', label: 'location' },
          queries: [{ expr: moved('sold_units_total'), legend: '{{location}}' }],
        },
        {
          kind: 'time',
          title: 'Units returned',
          description: 'Units that came back each second, whatever became of them, by location.',
          unit: 'suffix: units/s',
          width: 8,
          opens: { view: 'locations/', label: 'location' },
          queries: [{ expr: moved('returned_units_total'), legend: '{{location}}' }],
        },
        {
          kind: 'now',
          title: 'Return rate',
          description: 'Units returned ÷ units sold, over the shown time.',
          unit: 'percentunit',
          width: 4,
          queries: [
            {
              expr: share(
                `sum(increase(holdfast_returned_units_total{${PLACE}}[$__range]))`,
                `sum(increase(holdfast_sold_units_total{${PLACE}}[$__range]))`,
              ),
              legend: 'returned ÷ sold',
            },
          ],
        },
        {
          kind: 'now',
          title: 'Conversion of holds',
          description: 'Holds confirmed ÷ holds that ended, over the shown time, of all locations.',
          unit: 'percentunit',
          width: 4,
          queries: [
            {
              expr: share(
                over('holds_total', 'outcome="confirmed"'),
                over('holds_total', 'outcome=~"confirmed|released|expired"'),
              ),
              legend: 'confirmed ÷ ended',
            },
          ],
        },
        {
          kind: 'stacked',
          title: 'Holds by outcome',
          description:
            'Lines granted as holds, and how holds ended, of all locations. Many that expire: carts are left, or the hold time is too short.',
          unit: 'ops',
          width: 8,
          queries: [{ expr: rate('holds_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          kind: 'time',
          title: 'Transfers: shipped to received',
          description: 'By the stamps of the devices, of transfers received within the shown step, of all locations.',
          unit: 's',
          width: 8,
          queries: [
            { expr: quantile(0.5, 'transfer_lead_seconds'), legend: 'p50' },
            { expr: quantile(0.9, 'transfer_lead_seconds'), legend: 'p90' },
          ],
        },
        {
          kind: 'time',
          title: 'Purchases: ordered to received',
          description:
            'By the stamps of their senders, of deliveries received within the shown step, of all locations and vendors.',
          unit: 's',
          width: 8,
          queries: [
            { expr: quantile(0.5, 'delivery_lead_seconds'), legend: 'p50' },
            { expr: quantile(0.9, 'delivery_lead_seconds'), legend: 'p90' },
          ],
        },
        {
          kind: 'now',
          title: 'Late deliveries',
          description:
            'Deliveries of suppliers after their promised date ÷ deliveries, over the shown time, of all locations.',
          unit: 'percentunit',
          width: 4,
          queries: [
            {
              expr: share(over('deliveries_total', 'outcome="late"'), over('deliveries_total')),
              legend: 'late ÷ deliveries',
            },
          ],
        },
        {
          kind: 'now',
          title: 'Damaged in transfers',
          description: 'Units of transfers that arrived damaged, over the shown time, of all locations.',
          unit: 'suffix: units',
          width: 4,
          queries: [{ expr: over('transfer_damaged_units_total'), legend: 'damaged' }],
        },
        {
          kind: 'now',
          title: 'Inventory accuracy',
          description: 'Cycle counts that agreed with the book ÷ cycle counts, over the shown time, of all locations.',
          unit: 'percentunit',
          width: 4,
          limits: { warning: 0.97, critical: 0.9, below: true },
          queries: [
            {
              expr: share(over('counts_total', 'outcome="exact"'), over('counts_total')),
              legend: 'exact ÷ counts',
            },
          ],
        },
        {
          kind: 'time',
          title: 'Variance of counts',
          description: 'Units by which cycle counts differed from the book, either way, each second, of all locations.',
          unit: 'suffix: units/s',
          width: 12,
          queries: [{ expr: rate('count_variance_units_total'), legend: 'variance' }],
        },
      ],
    },
  ],
};
