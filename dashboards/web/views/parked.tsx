/** Parked facts: why each could not be counted, its bytes, and how to submit it again, unchanged or corrected. */
import { useEffect, useState } from 'preact/hooks';
import { moment, plural, words } from '../base/format.ts';
import { nowMs } from '../base/now.ts';
import { filter, route } from '../base/route.ts';
import { ask } from '../data/requests.ts';
import { useAnswer } from '../data/use-answer.ts';
import { Empty, Failed, Loading } from '../parts/condition.tsx';
import { type ParkedFact, Resubmit, textOf } from './resubmit.tsx';

interface ParkedPage {
  readonly parked: readonly ParkedFact[];
  readonly next: number | null;
}

const PAGE = 25;

export function Parked({ count }: { readonly count: number | undefined }) {
  const after = route.value.query.after;
  const query = new URLSearchParams({ limit: String(PAGE), ...(after === undefined ? {} : { after }) });
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
        <p class="now">{count !== undefined && plural(count, 'parked fact')}</p>
      </header>
      {failed !== undefined ? (
        <Failed failed={failed} what="parked facts" again={again} />
      ) : answer === undefined ? (
        <Loading what="the parked facts" />
      ) : answer.parked.length === 0 ? (
        <Empty>No fact is parked: every one that came was counted.</Empty>
      ) : (
        <ul class="rows">
          {answer.parked.map((fact) => (
            <li key={fact.seq} class="row parked-fact" data-row data-parked={fact.seq}>
              <span class="main">
                <b>
                  {words(fact.reason)} <span class="where">{fact.source}</span>
                </b>
                <small>{fact.message}</small>
                <code>{textOf(fact).slice(0, 240)}</code>
              </span>
              <span class="end">
                <small>{moment(fact.parkedAt, nowMs.value)}</small>
                <button type="button" onClick={() => void choose(fact).catch(() => setChosen(fact))}>
                  Re-submit
                </button>
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
            onClick={() => filter({ after: answer.next === null ? undefined : String(answer.next) })}
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
