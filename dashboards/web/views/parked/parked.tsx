/** Parked facts: why each could not be counted, who decided about it, and how to submit it again, unchanged or corrected. */
import { useEffect, useState } from 'preact/hooks';
import { moment, plural, words } from '../../base/format.ts';
import { nowMs } from '../../base/now.ts';
import { filter, route } from '../../base/route.ts';
import { ask } from '../../data/requests.ts';
import { useAnswer } from '../../data/use-answer.ts';
import { Empty, Failed, Loading } from '../../parts/condition.tsx';
import { Choices } from '../../parts/filters.tsx';
import { NO_DEVICE, ParkedGroups } from './parked-groups.tsx';
import { type ParkedFact, Resubmit, textOf } from './resubmit.tsx';

interface ParkedPage {
  readonly parked: readonly ParkedFact[];
  readonly next: number | null;
}

const PAGE = 25;
const STATES = [
  ['waiting', 'Waiting'],
  ['resubmitted', 'Resubmitted'],
  ['dismissed', 'Dismissed'],
] as const;

export function Parked({ count }: { readonly count: number | undefined }) {
  const { reason, device, parked: state = 'waiting', ...others } = route.value.query;
  // A page of one state is no page of another one.
  const [of, after] = others.after?.split('-') ?? [];
  const query = new URLSearchParams({ limit: String(PAGE), state });
  if (after !== undefined && of === state) query.set('after', after);
  if (reason !== undefined) query.set('reason', reason);
  if (device !== undefined) query.set('device', device === NO_DEVICE ? '' : device);
  const { answer, failed, again } = useAnswer<ParkedPage>(`/v1/parked?${query}`);
  const [chosen, setChosen] = useState<ParkedFact>();
  /** The list has only the first bytes of a long fact, so all of it is read before it is edited. */
  const choose = async (fact: ParkedFact) =>
    setChosen(fact.cut ? await ask<ParkedFact>(`/v1/parked/${fact.seq}`) : fact);
  // A new count means that the list has changed, so it is read again.
  useEffect(again, [count]);
  return (
    <section class="panel parked">
      <header>
        <h2>Parked facts</h2>
        <p class="now">{count !== undefined && `${plural(count, 'fact')} waiting`}</p>
        <Choices name="parked" label="State of the parked facts" choices={STATES} />
      </header>
      {state === 'waiting' && <ParkedGroups count={count} onDone={again} />}
      {(reason !== undefined || device !== undefined) && (
        <p class="more">
          <button type="button" onClick={() => filter({ reason: undefined, device: undefined, after: undefined })}>
            Show all reasons and devices
          </button>
        </p>
      )}
      {failed !== undefined ? (
        <Failed failed={failed} what="parked facts" again={again} />
      ) : answer === undefined ? (
        <Loading what="the parked facts" />
      ) : answer.parked.length === 0 ? (
        <Empty>
          {state === 'waiting' ? 'No fact waits: every one was counted or decided about.' : `No fact is ${state}.`}
        </Empty>
      ) : (
        <ul class="rows">
          {answer.parked.map((fact) => (
            <li key={fact.seq} class="row parked-fact" data-row data-parked={fact.seq}>
              <span class="main">
                <b>
                  {words(fact.reason)} <span class="where">{placeOf(fact)}</span>
                </b>
                <small>{fact.message}</small>
                {fact.decided !== undefined && (
                  <small>
                    {words(fact.state)} {moment(fact.decided.at, nowMs.value)} by {fact.decided.by ?? 'someone'}
                    {fact.decided.why !== undefined && `: ${fact.decided.why}`}
                  </small>
                )}
                <code>{textOf(fact).slice(0, 240)}</code>
              </span>
              <span class="end">
                <small>{moment(fact.parkedAt, nowMs.value)}</small>
                {fact.state === 'waiting' && (
                  <button type="button" onClick={() => void choose(fact).catch(() => setChosen(fact))}>
                    Re-submit<span class="unseen"> fact {fact.seq}</span>
                  </button>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
      {answer !== undefined && (answer.next !== null || after !== undefined) && (
        <p class="more">
          <button type="button" disabled={after === undefined} onClick={() => filter({ after: undefined })}>
            Oldest
          </button>
          <button
            type="button"
            disabled={answer.next === null}
            onClick={() => filter({ after: answer.next === null ? undefined : `${state}-${answer.next}` })}
          >
            Newer
          </button>
        </p>
      )}
      {chosen !== undefined && (
        <Resubmit
          fact={chosen}
          onDone={() => {
            setChosen(undefined);
            again();
          }}
        />
      )}
    </section>
  );
}

/** What is known of it, the most telling first. */
function placeOf({ id, sku, location, device, source }: ParkedFact): string {
  const known = [id, sku, location, device].filter((each) => each !== undefined);
  return known.length === 0 ? source : known.join(' · ');
}
