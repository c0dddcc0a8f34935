/**
 * The stock keys of a location, one page at a time, filtered by state. They are read again every AGAIN_MS, because no topic covers a
 * page.
 */
import { useEffect } from 'preact/hooks';
import type { StockAnswer } from '../../../../streams/contract/stock.ts';
import { filter, href, route } from '../../base/route.ts';
import { useAnswer } from '../../data/use-answer.ts';
import { Empty, Failed, Loading } from '../../parts/condition.tsx';
import { Units } from '../../parts/figure.tsx';
import { Choices } from '../../parts/filters.tsx';

const PAGE = 50;
const AGAIN_MS = 5_000;

interface StockPage {
  readonly stock: readonly StockAnswer[];
  readonly next: string | null;
}

const COLUMNS = [
  ['On hand', 'onHand'],
  ['Sellable', 'sellable'],
  ['Held', 'held'],
  ['Allocated', 'allocated'],
  ['Available', 'available'],
  ['Oversold', 'oversold'],
  ['ATP', 'atp'],
  ['In transit', 'inTransit'],
] as const;

export function LocationStock({ id }: { readonly id: string }) {
  const { state, after } = route.value.query;
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (state !== undefined) query.set('state', state);
  if (after !== undefined) query.set('after', after);
  const { answer, failed, again } = useAnswer<StockPage>(`/v1/locations/${encodeURIComponent(id)}/stock?${query}`);
  useEffect(() => {
    const reading = setInterval(again, AGAIN_MS);
    return () => clearInterval(reading);
  }, []);
  return (
    <section class="panel">
      <header>
        <h2>Stock keys</h2>
        <Choices
          name="state"
          label="State of stock keys"
          choices={[
            ['', 'All'],
            ['oversold', 'Oversold'],
            ['negative', 'Below zero'],
            ['out', 'Stock-out'],
            ['held', 'Promised'],
          ]}
        />
      </header>
      {failed?.status === 404 ? (
        <Empty icon="empty">Nothing is known of this location yet.</Empty>
      ) : failed !== undefined ? (
        <Failed failed={failed} what="stock keys" again={again} />
      ) : answer === undefined ? (
        <Loading what="the stock keys" />
      ) : answer.stock.length === 0 ? (
        <Empty icon="empty">No stock key is in this state.</Empty>
      ) : (
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">SKU</th>
              {COLUMNS.map(([name]) => (
                <th key={name} scope="col" class="right">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.stock.map((stock) => (
              <tr key={stock.sku} data-row>
                <th scope="row">
                  <a class="code" href={href(['sku', stock.sku, id])}>
                    {stock.sku}
                  </a>
                </th>
                {COLUMNS.map(([name, field]) => (
                  <td key={field} class="right" data-label={name}>
                    <Units value={stock[field]} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {answer !== undefined && (answer.next !== null || after !== undefined) && (
        <p class="more">
          <button type="button" disabled={after === undefined} onClick={() => filter({ after: undefined })}>
            First page
          </button>
          <button
            type="button"
            disabled={answer.next === null}
            onClick={() => filter({ after: answer.next ?? undefined })}
          >
            Next page
          </button>
        </p>
      )}
    </section>
  );
}
