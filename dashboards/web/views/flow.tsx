/** The overview's charts: facts per second and by type, ATP latency, and the outcomes of reservations. */
import type { KpiTopic } from '../../topics.ts';
import { millis, rate, units, words } from '../base/format.ts';
import { factsColumns, latencyColumns } from '../data/history.ts';
import { Chart } from '../parts/chart.tsx';
import { Empty } from '../parts/condition.tsx';

const FACT_LINES = [{ label: 'Facts per second', color: 'facts', area: true, stepped: true }];
const LATENCY_LINES = [
  { label: 'p50', color: 'promise', area: true, joined: true },
  { label: 'p99', color: 'held', dash: [5, 3], joined: true },
];
const HEIGHT = 208;

interface Counted {
  readonly name: string;
  readonly count: number;
}

export function Flow({ kpi }: { readonly kpi: KpiTopic }) {
  const { facts, seconds } = kpi.windows.minute;
  const counted = Object.entries(facts).map(([name, count]) => ({ name, count }));
  const perSecond = counted.reduce((sum, { count }) => sum + count, 0) / Math.max(1, seconds);
  const most = Math.max(...kpi.factsBySecond, 0);
  return (
    <section class="panel flow">
      <header>
        <h2>Flow of facts</h2>
        <p class="now">
          <b data-figure="facts-per-second">{rate(perSecond)}</b> a second
        </p>
      </header>
      <div class="beside">
        <Chart
          columns={factsColumns.value}
          lines={FACT_LINES}
          height={HEIGHT}
          value={rate}
          says={`Facts of each second; in the last minute ${rate(perSecond)} a second, at most ${units(most)}`}
        />
        <Bars label="Facts of the last minute, by type" rows={counted} />
      </div>
    </section>
  );
}

export function AtpLatency({ kpi }: { readonly kpi: KpiTopic }) {
  const { p50Ms, p99Ms, perSecond, requests } = kpi.asked.minute.atp;
  return (
    <section class="panel latency">
      <header>
        <h2>ATP answers</h2>
        <p class="now">
          <b>{rate(perSecond)}</b> a second
        </p>
      </header>
      {requests === 0 && p99Ms === null ? (
        <Empty icon="info">Nobody has asked in the last minute.</Empty>
      ) : (
        <>
          <Chart
            columns={latencyColumns.value}
            lines={LATENCY_LINES}
            height={HEIGHT - 32}
            value={millis}
            says={`Latency of ATP answers over a minute: p50 ${millis(p50Ms)}, p99 ${millis(p99Ms)}`}
          />
          <p class="legend">
            <span>
              <i class="stroke promise" /> p50 <b>{millis(p50Ms)}</b>
            </span>
            <span>
              <i class="stroke held dashed" /> p99 <b>{millis(p99Ms)}</b>
            </span>
          </p>
        </>
      )}
    </section>
  );
}

export function ReservationOutcomes({ kpi }: { readonly kpi: KpiTopic }) {
  const { outcomes, perSecond, p99Ms } = kpi.asked.minute.reservations;
  const rows = Object.entries(outcomes).map(([name, count]) => ({ name, count }));
  const none = rows.every(({ count }) => count === 0);
  return (
    <section class="panel outcomes">
      <header>
        <h2>Reservations</h2>
        <p class="now">
          <b>{rate(perSecond)}</b> a second · p99 <b>{millis(p99Ms)}</b>
        </p>
      </header>
      {none ? (
        <Empty icon="info">No reservation in the last minute.</Empty>
      ) : (
        <Bars label="Reservations of the last minute, by outcome" rows={rows} />
      )}
    </section>
  );
}

function Bars({ label, rows }: { readonly label: string; readonly rows: readonly Counted[] }) {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return (
    <ul class="bars" aria-label={label}>
      {rows.map(({ name, count }) => (
        <li key={name} class={`of-${name}${count === 0 ? ' none' : ''}`}>
          <span>{words(name)}</span>
          <span class="length" aria-hidden="true">
            <i style={{ width: `${(count / most) * 100}%` }} />
          </span>
          <span class="num">{units(count)}</span>
        </li>
      ))}
    </ul>
  );
}
