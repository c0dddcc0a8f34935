/** Prints the explanation of a stock as a table. Each step shows its changes and the running totals after it. */
import { bucketRow, MOVED_BUCKETS, ON_HAND_BUCKETS } from '../../../streams/buckets.ts';
import type { Explanation } from '../../../streams/contract/operator.ts';
import { printable } from '../../../streams/names.ts';
import { table } from '../support/table.ts';

/** Omits buckets that are 0 in all steps, except sellable. */
export function explainTable({ sku, location, name, asOf, steps, stock, adds, notes, next }: Explanation): string {
  const buckets = MOVED_BUCKETS.filter(
    (bucket) =>
      bucket === 'sellable' || steps.some(({ change, total }) => (change[bucket] ?? 0) !== 0 || total[bucket] !== 0),
  );
  const head = [
    { title: 'WHEN' },
    { title: 'WHAT' },
    { title: 'ID' },
    ...buckets.map((bucket) => ({ title: bucketRow(bucket).label.toUpperCase(), align: 'right' as const })),
    { title: 'DETAIL' },
  ];
  const rows = steps.map(({ at, what, id, detail, change, total }) => [
    at,
    what,
    id,
    ...buckets.map((bucket) => moved(change[bucket] ?? 0, total[bucket])),
    detail,
  ]);
  const called = name === undefined ? '' : ` (${printable(name)})`;
  const out = [`${printable(sku)}${called} at ${printable(location)}, as of ${asOf}\n\n`];
  out.push(steps.length === 0 ? 'No facts and no reservations.\n' : table(head, rows), '\n');
  const onHand = ON_HAND_BUCKETS.map((bucket) => `${bucketRow(bucket).label.toLowerCase()} ${stock[bucket]}`);
  out.push(
    `on hand ${stock.onHand} = ${onHand.join(' + ')}\n`,
    `available ${stock.available}: sellable ${stock.sellable} - held ${stock.held} - allocated ${stock.allocated} - safety stock ${stock.safetyStock}, less what is protected for others\n`,
    `available to promise ${stock.atp}\n`,
  );
  if (next !== null)
    out.push(`Only the newest ${steps.length} steps are shown: --last N shows more, --all shows all.\n`);
  for (const note of notes) out.push(`Note: ${printable(note)}\n`);
  if (!adds)
    out.push('FAULT: the steps do not add up to the stock shown. Please report this with the output of --json.\n');
  return out.join('');
}

/** `+9 = 12`, or only the total if the step did not change the bucket. */
function moved(change: number, total: number): string {
  if (change === 0) return String(total);
  return `${change > 0 ? '+' : ''}${change} = ${total}`;
}
