/**
 * One SKU: how much of it may be promised, its stock at every location, the reservations that claim it, and why a number is what it is.
 */
import { BUCKETS, bucketRow, negativeUnits, sumOf } from '../../../streams/buckets.ts';
import type { StockAnswer } from '../../../streams/contract/stock.ts';
import type { AtpTopic, StockTopic } from '../../topics.ts';
import { plural, time, units } from '../base/format.ts';
import { useKeys } from '../base/keys.ts';
import { go, href } from '../base/route.ts';
import { unresolved } from '../data/anomalies.ts';
import { useItemNames } from '../data/item-names.ts';
import { useTopic } from '../data/topics.ts';
import { useAnswer } from '../data/use-answer.ts';
import { Empty, Failed, Loading } from '../parts/condition.tsx';
import { BelowZero, Figure, Oversold, Promised, Units } from '../parts/figure.tsx';
import { AnomalyRow } from './anomaly/anomaly-row.tsx';
import { Explanation } from './explanation.tsx';
import { Reservations } from './reservations.tsx';

interface SkuProps {
  readonly sku: string;
  /** The location whose number is explained. If undefined, it is the SKU's only location, if there is just one. */
  readonly location: string | undefined;
}

export function Sku({ sku, location }: SkuProps) {
  const atp = useTopic<AtpTopic>('atp', sku)?.data;
  const told = useTopic<StockTopic>('stock', sku)?.data;
  // The feed sends nothing about an unknown SKU, so only this answer can say that it is unknown.
  const { answer, failed, again } = useAnswer<StockTopic>(`/v1/stock/${encodeURIComponent(sku)}`);
  const stock = told ?? answer;
  const name = useItemNames([sku]).get(sku);
  useKeys({ Escape: () => (location === undefined ? history.back() : go(['sku', sku])) });
  const explained = location ?? (stock?.locations.length === 1 ? stock.locations[0]?.location : undefined);
  const list = unresolved.value?.filter((anomaly) => anomaly.sku === sku) ?? [];
  return (
    <div class="sku">
      <header class="title">
        <p class="up">SKU</p>
        <h1 tabIndex={-1} class="code">
          {sku}
        </h1>
        {name !== undefined && (
          <p class="name">
            <bdi>{name}</bdi>
          </p>
        )}
        <p>{atp !== undefined && `as of ${time(atp.asOf)}, version ${atp.version}`}</p>
      </header>
      {stock === undefined ? (
        failed === undefined ? (
          <Loading what="its stock" />
        ) : failed.status === 404 ? (
          <Empty icon="empty">Nothing is known of SKU {sku}.</Empty>
        ) : (
          <Failed failed={failed} what="stock" again={again} />
        )
      ) : (
        <>
          <Totals stock={stock.locations} />
          <section class="panel">
            <header>
              <h2>Where it is</h2>
              <p class="now">{plural(stock.locations.length, 'location')}</p>
            </header>
            <StockTable stock={stock.locations} explained={explained} />
          </section>
          {explained === undefined ? (
            <section class="panel">
              <header>
                <h2>Why is this number what it is?</h2>
              </header>
              <Empty icon="info">
                Choose a location above: every fact and reservation behind its numbers is told here.
              </Empty>
            </section>
          ) : (
            <Explanation key={explained} sku={sku} location={explained} />
          )}
          <Reservations sku={sku} />
          {list.length > 0 && (
            <section class="panel">
              <header>
                <h2>Anomalies of this SKU</h2>
              </header>
              <ul class="rows">
                {list.map((anomaly) => (
                  <AnomalyRow key={anomaly.id} anomaly={anomaly} />
                ))}
              </ul>
            </section>
          )}
        </>
      )}
    </div>
  );
}

/** All from one answer, because ATP of another moment could exceed what is on hand. */
function Totals({ stock }: { readonly stock: readonly StockAnswer[] }) {
  const { units: sum, oversold, negativeUnits: below } = sumOf(stock);
  return (
    <dl class="figures" aria-label="Figures of the SKU">
      <Figure id="atp" name="Available to promise" value={units(sum.atp)} />
      <Figure id="onHand" name="On hand" value={units(sum.onHand)} />
      <Promised held={sum.held} allocated={sum.allocated} />
      <Oversold units={oversold} />
      <BelowZero units={below} keys={stock.filter((each) => negativeUnits(each) > 0).length} />
      <Figure id="inTransit" name="In transit" value={units(sum.inTransit)} />
    </dl>
  );
}

interface TableProps {
  readonly stock: readonly StockAnswer[];
  readonly explained: string | undefined;
}

function StockTable({ stock, explained }: TableProps) {
  return (
    <table class="grid">
      <thead>
        <tr>
          <th scope="col">Location</th>
          {BUCKETS.map((bucket) => (
            <th key={bucket} scope="col" class="right">
              {bucketRow(bucket).label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {stock.map((each) => (
          <tr key={each.location} data-row aria-current={each.location === explained ? 'true' : undefined}>
            <th scope="row">
              <a class="code" href={href(['sku', each.sku, each.location])}>
                {each.location}
              </a>
            </th>
            {BUCKETS.map((bucket) => (
              <td key={bucket} class="right" data-label={bucketRow(bucket).label} data-field={bucket}>
                <Units value={each[bucket]} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
