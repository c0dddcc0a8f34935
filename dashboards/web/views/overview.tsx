/**
 * The overview answers "are we promising what we have?" at one glance, readable from three metres. Below it are the
 * figures behind the answer.
 */
import { useEffect, useRef } from 'preact/hooks';
import type { KpiTopic } from '../../topics.ts';
import { announce } from '../base/announce.ts';
import { ago, brief, plural, rate, units } from '../base/format.ts';
import { useKeptFocus } from '../base/keys.ts';
import { nowMs } from '../base/now.ts';
import { href } from '../base/route.ts';
import { unresolved } from '../data/anomalies.ts';
import { kpi, system } from '../data/topics.ts';
import { Balance } from '../parts/balance.tsx';
import { Empty, Loading } from '../parts/condition.tsx';
import { BelowZero, Figure, Oversold } from '../parts/figure.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { promiseStatus } from '../parts/promise-status.ts';
import { AnomalyRow } from './anomaly/anomaly-row.tsx';
import { AtpLatency, Flow, ReservationOutcomes } from './flow.tsx';
import { conditionOf } from './location/location-condition.ts';
import { LagText } from './node-table.tsx';

const STATUS_ICON: Readonly<Record<string, IconName>> = { good: 'good', warn: 'warning', bad: 'critical' };

export function Overview() {
  const known = kpi.value?.data;
  const status = promiseStatus(known, system.value?.data, unresolved.value);
  const told = useRef(status.word);
  useEffect(() => {
    if (told.current !== '…' && told.current !== status.word) announce(`${status.word}. ${status.says}`);
    told.current = status.word;
  }, [status.word]);
  const icon = STATUS_ICON[status.tone];
  return (
    <div class="overview">
      <section class={`verdict ${status.tone}`} data-verdict={status.tone}>
        <h1 tabIndex={-1}>Are we promising what we have?</h1>
        <p class="word">
          {icon !== undefined && <Icon name={icon} />}
          {status.word}
        </p>
        <p class="says">{status.says}</p>
        {known !== undefined && <Balance standing={known} />}
      </section>
      {known === undefined ? <Loading what="the first numbers" /> : <Numbers kpi={known} />}
    </div>
  );
}

function Numbers({ kpi: known }: { readonly kpi: KpiTopic }) {
  const { units: sum } = known;
  const open = Object.values(known.openAnomalies).reduce((total, count) => total + count, 0);
  return (
    <>
      <dl class="figures" aria-label="Figures of the whole system">
        <Figure id="atp" name="Available to promise" value={brief(sum.atp)} note={`of ${brief(sum.onHand)} on hand`} />
        <Figure id="held" name="Held" value={brief(sum.held)} note="until confirmed or expired" />
        <Figure id="allocated" name="Allocated" value={brief(sum.allocated)} note="promised, not yet gone" />
        <Oversold units={known.oversold} href={href(['anomalies'], { kind: 'shortfall' })} />
        <BelowZero
          units={known.negativeUnits}
          keys={known.negative}
          href={href(['anomalies'], { kind: 'negative_stock' })}
        />
        <Figure
          id="anomalies"
          name="Open anomalies"
          value={brief(open)}
          note={open === 0 ? 'all clear' : 'need attention'}
          tone={open > 0 ? 'warn' : 'good'}
          href={href(['anomalies'])}
        />
      </dl>
      <Flow kpi={known} />
      <AtpLatency kpi={known} />
      <ReservationOutcomes kpi={known} />
      <Attention />
      <LocationsInShort kpi={known} />
      <Nodes />
    </>
  );
}

function Attention() {
  useKeptFocus();
  const list = unresolved.value?.filter(({ state }) => state === 'open');
  return (
    <section class="panel attention">
      <header>
        <h2>
          <a href={href(['anomalies'])}>Needs attention</a>
        </h2>
        <p class="now">{list !== undefined && plural(list.length, 'open anomaly', 'open anomalies')}</p>
      </header>
      {list === undefined ? (
        <Loading what="anomalies" />
      ) : list.length === 0 ? (
        <Empty>No open anomaly.</Empty>
      ) : (
        <ul class="rows">
          {list.slice(0, 6).map((anomaly) => (
            <AnomalyRow key={anomaly.id} anomaly={anomaly} />
          ))}
        </ul>
      )}
    </section>
  );
}

function LocationsInShort({ kpi: { locations, locationCount } }: { readonly kpi: KpiTopic }) {
  useKeptFocus();
  const now = nowMs.value;
  return (
    <section class="panel places">
      <header>
        <h2>
          <a href={href(['locations'])}>Locations</a>
        </h2>
        <p class="now">{units(locationCount)} in all</p>
      </header>
      {locations.length === 0 ? (
        <Empty icon="empty">No location has reported yet.</Empty>
      ) : (
        <ul class="rows">
          {locations.slice(0, 6).map((each) => {
            const { icon, tone, words } = conditionOf(each);
            return (
              <li key={each.location}>
                <a class="row place" data-row href={href(['locations', each.location])}>
                  <span class={`mark ${tone}`}>
                    <Icon name={icon} />
                  </span>
                  <span class="main">
                    <b>{each.location}</b>
                    <small>{words}</small>
                  </span>
                  <span class="end">
                    <b class="num">{units(each.units.atp)}</b>
                    <small>
                      {each.factsPerMinute > 0 ? `${units(each.factsPerMinute)} facts/min` : ago(each.heardAt, now)}
                    </small>
                  </span>
                </a>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}

function Nodes() {
  const known = system.value?.data;
  return (
    <section class="panel nodes">
      <header>
        <h2>
          <a href={href(['system'])}>Nodes</a>
        </h2>
        <p class="now">{known !== undefined && `${plural(known.partitions, 'partition')}`}</p>
      </header>
      {known === undefined ? (
        <Loading what="the nodes" />
      ) : (
        <ul class="rows">
          {known.nodes.map((node) => {
            const silent = node.silentSeconds > 3;
            const well = node.ready && !silent;
            return (
              <li key={node.name} class="row node">
                <span class={`mark ${well ? 'good' : 'bad'}`}>
                  <Icon name={well ? 'good' : 'critical'} />
                </span>
                <span class="main">
                  <b>{node.name}</b>
                  <small>{silent ? 'silent' : node.ready ? 'serves' : (node.reasons[0] ?? 'is starting')}</small>
                </span>
                <span class="end">
                  <b class="num">{node.owned}</b>
                  <small>
                    <LagText lag={node.lag} /> · loop {rate(node.eventLoopP99Ms)} ms
                  </small>
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
