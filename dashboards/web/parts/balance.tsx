/**
 * The stock on hand as one bar, by who may have it: free to promise, held, allocated, kept back, not sellable. Units short
 * come last.
 */
import { bucketRow, ON_HAND_BUCKETS } from '../../../streams/buckets.ts';
import type { StockTotals } from '../../topics.ts';
import { units } from '../base/format.ts';

interface Part {
  readonly name: string;
  readonly kind: string;
  readonly value: number;
}

const NOT_SELLABLE = ON_HAND_BUCKETS.filter((bucket) => bucket !== 'sellable').reverse();

/** Sellable = held + allocated + kept back + free − shortfall, so the part kept back (safety stock etc.) is the rest. */
function partsOf({ units: sum, shortfall }: StockTotals): Part[] {
  const kept = sum.sellable - sum.held - sum.allocated - sum.atp + shortfall;
  return [
    { name: 'Free to promise', kind: 'promise', value: sum.atp },
    { name: 'Held', kind: 'held', value: sum.held },
    { name: 'Allocated', kind: 'allocated', value: sum.allocated },
    { name: 'Kept back', kind: 'kept', value: Math.max(0, kept) },
    ...NOT_SELLABLE.map((bucket) => {
      const { alone, label } = bucketRow(bucket);
      return { name: alone ?? label, kind: bucket, value: sum[bucket] };
    }),
    { name: 'Lacking', kind: 'lacking', value: shortfall },
  ];
}

export function Balance({ standing }: { readonly standing: StockTotals }) {
  const parts = partsOf(standing);
  const shown = parts.filter(({ value }) => value > 0);
  return (
    <div class="balance">
      <div class="bar" aria-hidden="true">
        {shown.map(({ kind, value }) => (
          <span key={kind} class={`part ${kind}`} style={{ flexGrow: value }} />
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
