/** The live list of anomalies, filtered by the address, and the one that is open. The keyboard can acknowledge and resolve them. */
import { useState } from 'preact/hooks';
import { ANOMALY_KINDS, type Anomaly, SEVERITIES } from '../../../topics.ts';
import { plural, words } from '../../base/format.ts';
import { focusedRow, useKeptFocus, useKeys } from '../../base/keys.ts';
import { filter, route } from '../../base/route.ts';
import { anomalies, unresolved } from '../../data/anomalies.ts';
import { useItemNames } from '../../data/item-names.ts';
import { useAnswer } from '../../data/use-answer.ts';
import { Empty, Failed, Loading } from '../../parts/condition.tsx';
import { Choices, Pick } from '../../parts/filters.tsx';
import { AnomalyDetail } from './anomaly-detail.tsx';
import { AnomalyRow } from './anomaly-row.tsx';
import { AnomalyStep } from './anomaly-step.tsx';

const SHOWN = 300;

export function Anomalies() {
  useKeptFocus();
  const { query } = route.value;
  const [step, setStep] = useState<{ does: 'acknowledge' | 'resolve'; anomaly: Anomaly }>();
  const asked = useAnswer<{ anomalies: Anomaly[] }>(
    query.state === 'resolved' ? '/v1/anomalies?state=resolved' : undefined,
  );
  const live = anomalies.value;
  const known = merged(live, asked.answer?.anomalies);
  const list = known?.filter((anomaly) => fits(anomaly, query));
  const names = useItemNames((list ?? []).slice(0, SHOWN).flatMap(({ sku }) => sku ?? []));
  const opened = known?.find(({ id }) => id === query.id);

  const begin = (does: 'acknowledge' | 'resolve') => {
    const id = focusedRow()?.dataset.anomaly ?? query.id;
    const anomaly = known?.find((each) => each.id === id);
    if (anomaly === undefined || anomaly.state === 'resolved') return;
    if (does === 'acknowledge' && anomaly.state === 'acknowledged') return;
    setStep({ does, anomaly });
  };
  useKeys({
    a: () => begin('acknowledge'),
    r: () => begin('resolve'),
    Escape: () => filter({ id: undefined }),
  });
  const count = unresolved.value?.length;
  return (
    <div class={`anomalies${opened === undefined ? '' : ' opened'}`}>
      <header class="title">
        <h1 tabIndex={-1}>Anomalies</h1>
        <p>{count !== undefined && `${plural(count, 'anomaly', 'anomalies')} unresolved`}</p>
      </header>
      <Filters known={known ?? []} />
      <div class="split">
        <section class="panel list" aria-label="Anomalies">
          {asked.failed !== undefined && <Failed failed={asked.failed} what="resolved anomalies" again={asked.again} />}
          {list === undefined || (asked.loading && list.length === 0) ? (
            <Loading what="anomalies" />
          ) : list.length === 0 ? (
            <Empty>
              {narrowed(query) ? 'No anomaly fits these filters.' : 'No anomaly. Every number is explained.'}
            </Empty>
          ) : (
            <ul class="rows">
              {list.slice(0, SHOWN).map((anomaly) => (
                <AnomalyRow key={anomaly.id} anomaly={anomaly} name={names.get(anomaly.sku ?? '')} />
              ))}
            </ul>
          )}
          {list !== undefined && list.length > SHOWN && (
            <p class="more">
              {plural(list.length - SHOWN, 'more anomaly', 'more anomalies')}: narrow the list to see them.
            </p>
          )}
        </section>
        {opened !== undefined && (
          <AnomalyDetail anomaly={opened} onStep={(does) => setStep({ does, anomaly: opened })} />
        )}
      </div>
      {step !== undefined && <AnomalyStep {...step} onDone={() => setStep(undefined)} />}
    </div>
  );
}

function Filters({ known }: { readonly known: readonly Anomaly[] }) {
  const locations = [...new Set(known.flatMap(({ location }) => location ?? []))].sort();
  return (
    <div class="filters">
      <Choices
        name="state"
        label="State"
        choices={[
          ['', 'Unresolved'],
          ['open', 'Open'],
          ['acknowledged', 'Acknowledged'],
          ['resolved', 'Resolved'],
        ]}
      />
      <Pick
        name="severity"
        label="Severity"
        any="Any severity"
        options={SEVERITIES.map((each) => [each, words(each)])}
      />
      <Pick name="kind" label="Kind" any="Any kind" options={ANOMALY_KINDS.map((each) => [each, words(each)])} />
      <Pick name="location" label="Location" any="Any location" options={locations.map((each) => [each, each])} />
    </div>
  );
}

type Query = Readonly<Record<string, string>>;

function fits(anomaly: Anomaly, { state = '', kind, location, severity }: Query): boolean {
  if (state === '' ? anomaly.state === 'resolved' : anomaly.state !== state) return false;
  if (kind !== undefined && anomaly.kind !== kind) return false;
  if (location !== undefined && anomaly.location !== location) return false;
  return severity === undefined || anomaly.severity === severity;
}

function narrowed({ state, kind, location, severity }: Query): boolean {
  return [state, kind, location, severity].some((each) => each !== undefined);
}

/** An anomaly from the feed is newer than the same one from a request, so the feed's wins. */
function merged(
  live: readonly Anomaly[] | undefined,
  asked: readonly Anomaly[] | undefined,
): readonly Anomaly[] | undefined {
  if (live === undefined || asked === undefined) return live;
  const ids = new Set(live.map(({ id }) => id));
  return [...live, ...asked.filter(({ id }) => !ids.has(id))];
}
