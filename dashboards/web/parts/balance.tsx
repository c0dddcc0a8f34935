/**
 * The stock on hand as one bar, by who may have it: free to promise, held, allocated, kept back, not sellable. Oversold units are promised
 * and not there, so they come last. What is below zero is no part of it.
 */
import { bucketRow, ON_HAND_BUCKETS } from '../../../streams/buckets.ts';
import type { StockTotals } from '../../topics.ts';
import { units } from '../base/format.ts';

interface Part {
  readonly name: string;
  readonly kind: string;
  readonly value: number;
  /** Its share of the bar, if that is not its value. */
  readonly drawn?: number;
}

const NOT_SELLABLE = ON_HAND_BUCKETS.filter((bucket) => bucket !== 'sellable').reverse();

/** Sellable = held + allocated − oversold + kept back + free, so the part kept back (safety stock etc.) is the rest. */
function partsOf({ units: sum, oversold }: StockTotals): Part[] {
  const promised = sum.held + sum.allocated;
  // The figures do not say which of the promises are oversold, so each kind is drawn without an equal share of them.
  const there = promised === 0 ? 0 : 1 - oversold / promised;
  return [
    { name: 'Free to promise', kind: 'promise', value: sum.atp },
    { name: 'Held', kind: 'held', value: sum.held, drawn: sum.held * there },
    { name: 'Allocated', kind: 'allocated', value: sum.allocated, drawn: sum.allocated * there },
    { name: 'Kept back', kind: 'kept', value: sum.sellable - (promised - oversold) - sum.atp },
    ...NOT_SELLABLE.map((bucket) => {
      const { alone, label } = bucketRow(bucket);
      return { name: alone ?? label, kind: bucket, value: sum[bucket] };
    }),
    { name: 'Oversold (promised, not there)', kind: 'lacking', value: oversold },
  ];
}

export function Balance({ standing }: { readonly standing: StockTotals }) {
  const parts = partsOf(standing);
  const shown = parts.filter(({ value }) => value > 0);
  return (
    <div class="balance">
      <div class="bar" aria-hidden="true">
        {shown.map(({ kind, value, drawn = value }) => (
          <span key={kind} class={`part ${kind}`} style={{ flexGrow: drawn }} />
        ))}
      </div>
      <dl>
        {parts
          .filter(({ kind, value }) => value > 0 || ['promise', 'held', 'allocated'].includes(kind))
          .map(({ name, kind, value }) => (
            <div key={kind}>
              <dt>
                <span class={`swatch ${kind}`} aria-hidden="true" />
                {name}
              </dt>
              <dd class="num">{units(value)}</dd>
            </div>
          ))}
      </dl>
    </div>
  );
}
