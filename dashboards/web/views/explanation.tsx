/**
 * Why is this number what it is? The sum behind it, and every fact and reservation that contributed, newest first, with running
 * totals.
 *
 * Invariant XP1: all steps are of one moment. If the number has changed since, the view says so and does not mix two moments.
 */
import { useEffect, useState } from 'preact/hooks';
import { bucketRow, MOVED_BUCKETS } from '../../../streams/buckets.ts';
import type { Explanation as Explained, ExplainStep } from '../../../streams/contract/operator.ts';
import type { StockAnswer } from '../../../streams/contract/stock.ts';
import type { StockTopic } from '../../topics.ts';
import { moment, plural, signed, time, units, words } from '../base/format.ts';
import { nowMs } from '../base/now.ts';
import { useTopic } from '../data/topics.ts';
import { useAnswer } from '../data/use-answer.ts';
import { Empty, Failed, Loading } from '../parts/condition.tsx';
import { Units } from '../parts/figure.tsx';
import { Icon } from '../parts/icon.tsx';

const PAGE = 30;

export function Explanation({ sku, location }: { readonly sku: string; readonly location: string }) {
  const [cursor, setCursor] = useState('');
  const path = `/v1/explain/${encodeURIComponent(sku)}/${encodeURIComponent(location)}${cursor && `?cursor=${cursor}`}`;
  const { answer, failed, again } = useAnswer<Explained>(path);
  const live = useTopic<StockTopic>('stock', sku)?.data.locations.find((each) => each.location === location);
  // The feed is newer than the steps, so a difference is reported and never mixed in (XP1).
  const moved =
    answer !== undefined && live !== undefined && MOVED_BUCKETS.some((each) => live[each] !== answer.stock[each]);
  const appeared = failed?.status === 404 && live !== undefined;
  useEffect(() => {
    if (appeared) again();
  }, [appeared]);
  return (
    <section class="panel explanation" aria-label={`Why the numbers at ${location} are what they are`}>
      <header>
        <h2>
          Why is this number what it is? <span class="where">{location}</span>
        </h2>
        {moved ? (
          <button type="button" class="strong" onClick={again}>
            It has moved since {time(answer.asOf)}: read again
          </button>
        ) : (
          answer !== undefined && <p class="now">as of {time(answer.asOf)}</p>
        )}
      </header>
      {failed?.status === 404 ? (
        <Empty icon="empty">
          Nothing of SKU {sku} has ever been at {location}.
        </Empty>
      ) : failed !== undefined ? (
        <Failed failed={failed} what="explanation" again={again} />
      ) : answer === undefined ? (
        <Loading what="the facts behind it" />
      ) : (
        <>
          <Sum stock={answer.stock} />
          {!answer.adds && (
            <p class="trouble">
              <Icon name="critical" /> The steps do not end in the stock shown.
            </p>
          )}
          {answer.notes.map((note) => (
            <p key={note} class="note">
              {note}
            </p>
          ))}
          <Steps steps={answer.steps} />
          {(answer.next !== null || cursor !== '') && (
            <p class="more">
              {cursor !== '' && (
                <button type="button" onClick={() => setCursor('')}>
                  Newest steps
                </button>
              )}
              {answer.next !== null && (
                <button type="button" onClick={() => setCursor(answer.next ?? '')}>
                  Next {plural(answer.steps.length, 'older step')}
                </button>
              )}
            </p>
          )}
        </>
      )}
    </section>
  );
}

function Sum({ stock }: { readonly stock: StockAnswer }) {
  const { sellable, held, allocated, safetyStock, available, atp } = stock;
  const rest = sellable - held - allocated - safetyStock - available;
  const terms: readonly (readonly [string, string, number])[] = [
    ['', 'sellable', sellable],
    ['−', 'held', held],
    ['−', 'allocated', allocated],
    ['−', 'safety stock', safetyStock],
    ...(rest === 0 ? [] : [['−', 'protected', rest] as const]),
    ['=', 'available', available],
  ];
  return (
    <p class="sum" data-sum>
      {terms.map(([sign, name, value]) => (
        <span key={name} class={sign === '=' ? 'term result' : 'term'}>
          {sign !== '' && <i>{sign}</i>}
          <span>
            <b class={value < 0 ? 'num below' : 'num'}>{units(value)}</b>
            <small>{name}</small>
          </span>
        </span>
      ))}
      <span class="term promise">
        <i>→</i>
        <span>
          <b class="num">{units(atp)}</b>
          <small>ATP</small>
        </span>
      </span>
    </p>
  );
}

function Steps({ steps }: { readonly steps: readonly ExplainStep[] }) {
  const [shown, setShown] = useState(PAGE);
  const now = nowMs.value;
  const newest = steps.toReversed();
  const used = MOVED_BUCKETS.filter(
    (bucket) =>
      bucket === 'sellable' || steps.some(({ change, total }) => (change[bucket] ?? 0) !== 0 || total[bucket] !== 0),
  );
  return (
    <>
      <table class="grid steps">
        <caption class="unseen">Steps, newest first, with what stood after each</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What</th>
            <th scope="col">Change</th>
            {used.map((bucket) => (
              <th key={bucket} scope="col" class="right">
                {bucketRow(bucket).label} then
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {newest.slice(0, shown).map(({ at, what, id, detail, change, total }, i) => (
            // Several steps can share an id, for example a hold and its end. The position keeps equal ones apart.
            <tr key={`${id} ${what} ${steps.length - i}`} data-step={id}>
              <td class="when num" data-label="When">
                <time dateTime={at}>{moment(at, now)}</time>
              </td>
              <td class="what" data-label="What">
                <b>{words(what)}</b> <span class="code">{id}</span>
                <small>{detail}</small>
              </td>
              <td class="change" data-label="Change">
                {MOVED_BUCKETS.filter((bucket) => (change[bucket] ?? 0) !== 0).map((bucket) => (
                  <span key={bucket} class={(change[bucket] ?? 0) < 0 ? 'delta down' : 'delta up'}>
                    <b class="num">{signed(change[bucket] ?? 0)}</b> {bucketRow(bucket).label.toLowerCase()}
                  </span>
                ))}
              </td>
              {used.map((bucket) => (
                <td key={bucket} class="right" data-label={`${bucketRow(bucket).label} then`}>
                  <Units value={total[bucket]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {steps.length > shown && (
        <p class="more">
          <button type="button" onClick={() => setShown(shown + 5 * PAGE)}>
            {plural(steps.length - shown, 'older step')}
          </button>
        </p>
      )}
    </>
  );
}
