/** One location: its figures, its activity within a window, its stock keys, and its anomalies. */
import { type Activity, AGE_DAYS, type LocationTopic, WINDOWS, type WindowName } from '../../../topics.ts';
import { ago, brief, percent, plural, span, units, words } from '../../base/format.ts';
import { useKeptFocus, useKeys } from '../../base/keys.ts';
import { nowMs } from '../../base/now.ts';
import { go, href, route } from '../../base/route.ts';
import { unresolved } from '../../data/anomalies.ts';
import { useTopic } from '../../data/topics.ts';
import { Balance } from '../../parts/balance.tsx';
import { Empty, Loading } from '../../parts/condition.tsx';
import { BelowZero, Figure, Oversold, Promised } from '../../parts/figure.tsx';
import { Choices } from '../../parts/filters.tsx';
import { Icon } from '../../parts/icon.tsx';
import { AnomalyRow } from '../anomaly/anomaly-row.tsx';
import { conditionOf } from './location-condition.ts';
import { LocationStock } from './location-stock.tsx';

export function Location({ id }: { readonly id: string }) {
  const figures = useTopic<LocationTopic>('location', id)?.data;
  useKeys({ Escape: () => go(['locations']) });
  return (
    <div class="location">
      <header class="title">
        <p class="up">
          <a href={href(['locations'])}>Locations</a>
        </p>
        <h1 tabIndex={-1} class="code">
          {id}
        </h1>
        {figures !== undefined && <Standing figures={figures} />}
      </header>
      {figures === undefined ? <Loading what="the location" /> : <Figures figures={figures} />}
      <LocationStock id={id} />
      <Own id={id} />
    </div>
  );
}

function Standing({ figures }: { readonly figures: LocationTopic }) {
  const { tone, icon, words: says } = conditionOf(figures);
  return (
    <p class={`state ${tone}`}>
      <Icon name={icon} /> {says} · last fact {ago(figures.heardAt, nowMs.value)}
    </p>
  );
}

function Figures({ figures }: { readonly figures: LocationTopic }) {
  const { units: sum, stockOuts, stockKeys, windows } = figures;
  const asked = route.value.query.window;
  const window: WindowName = WINDOWS.find((each) => each === asked) ?? 'hour';
  return (
    <>
      <dl class="figures" aria-label="Figures of the location">
        <Figure id="atp" name="Available to promise" value={brief(sum.atp)} note={`of ${brief(sum.onHand)} on hand`} />
        <Promised held={sum.held} allocated={sum.allocated} />
        <Oversold units={figures.oversold} href={href(['locations', figures.location], { state: 'oversold' })} />
        <BelowZero
          units={figures.negativeUnits}
          keys={figures.negative}
          href={href(['locations', figures.location], { state: 'negative' })}
        />
        <Figure id="inTransit" name="In transit to here" value={brief(sum.inTransit)} />
        <Figure id="stockOuts" name="Stock-outs" value={brief(stockOuts)} note={`of ${plural(stockKeys, 'key')}`} />
      </dl>
      <section class="panel">
        <header>
          <h2>Whose the stock is</h2>
        </header>
        <Balance standing={figures} />
      </section>
      <section class="panel happened">
        <header>
          <h2>What happened</h2>
          <Choices
            name="window"
            label="Window"
            initial="hour"
            choices={[
              ['minute', 'Minute'],
              ['hour', 'Hour'],
              ['day', 'Day'],
              ['all', 'Since start'],
            ]}
          />
        </header>
        <HappenedList happened={windows[window]} />
        <Ageing ageing={figures.ageing} />
      </section>
    </>
  );
}

function HappenedList({ happened }: { readonly happened: Activity }) {
  const { facts, holds, transfers, deliveries, counts } = happened;
  const rows: readonly (readonly [string, string, string?])[] = [
    ['Facts', units(Object.values(facts).reduce((sum, count) => sum + count, 0)), `over ${span(happened.seconds)}`],
    ['Units sold', units(happened.unitsSold), `sell-through ${percent(happened.sellThrough)}`],
    ['Units returned', units(happened.unitsReturned), `${percent(happened.returnRate)} of sold`],
    ['Holds granted', units(holds.granted), `${percent(holds.conversion)} confirmed`],
    ['Holds expired', units(holds.expired), `${units(holds.released)} released`],
    ['Transfers received', units(transfers.received), `lead time ${span(transfers.leadSeconds)}`],
    [
      'Deliveries',
      units(deliveries.received),
      `${units(deliveries.late)} late, lead time ${span(deliveries.leadSeconds)}`,
    ],
    ['Counts', units(counts.counted), `${percent(counts.accuracy)} without variance`],
    ['Variance', plural(counts.varianceUnits, 'unit'), 'found by counts'],
  ];
  return (
    <dl class="cells">
      {rows.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <b class="num">{value}</b> <small>{note}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Ageing({ ageing }: { readonly ageing: readonly number[] }) {
  const names = [...AGE_DAYS.map((days) => `up to ${days} days`), 'older'];
  const most = Math.max(1, ...ageing);
  return (
    <>
      <h3 class="part-title">Units on hand, by how long ago their stock key last got any</h3>
      <ul class="bars ageing">
        {ageing.map((count, i) => (
          <li key={names[i]} class={count === 0 ? 'none' : ''}>
            <span>{words(names[i] ?? '')}</span>
            <span class="length" aria-hidden="true">
              <i style={{ width: `${(Math.max(0, count) / most) * 100}%` }} />
            </span>
            <span class="num">{units(count)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Own({ id }: { readonly id: string }) {
  useKeptFocus();
  const list = unresolved.value?.filter(({ location }) => location === id);
  return (
    <section class="panel">
      <header>
        <h2>Anomalies here</h2>
      </header>
      {list === undefined ? (
        <Loading what="anomalies" />
      ) : list.length === 0 ? (
        <Empty>No anomaly here.</Empty>
      ) : (
        <ul class="rows">
          {list.slice(0, 30).map((anomaly) => (
            <AnomalyRow key={anomaly.id} anomaly={anomaly} />
          ))}
        </ul>
      )}
    </section>
  );
}
