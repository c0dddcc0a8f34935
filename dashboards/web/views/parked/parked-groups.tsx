/** Parked facts that wait, by reason and device. A person resubmits or dismisses a group, after saying who and why. */
import { useEffect, useState } from 'preact/hooks';
import { announce } from '../../base/announce.ts';
import { moment, plural, words } from '../../base/format.ts';
import { nowMs } from '../../base/now.ts';
import { filter } from '../../base/route.ts';
import { ask } from '../../data/requests.ts';
import { useAnswer } from '../../data/use-answer.ts';
import { Failed } from '../../parts/condition.tsx';
import { DecisionForm } from '../../parts/decision-form.tsx';
import { Modal } from '../../parts/modal.tsx';

interface Group {
  readonly reason: string;
  readonly device?: string;
  readonly facts: number;
  readonly since: string;
}
interface Work {
  readonly facts: number;
  readonly left?: readonly { readonly code: string; readonly message: string; readonly facts: number }[];
  readonly next?: number;
}
type Step = 'resubmit' | 'dismiss';

const GROUPS = 50;

interface ParkedGroupsProps {
  readonly count: number | undefined;
  readonly onDone: () => void;
}

export function ParkedGroups({ count, onDone }: ParkedGroupsProps) {
  const path = `/v1/parked/groups?limit=${GROUPS}`;
  const { answer, failed, again } = useAnswer<{ groups: readonly Group[]; facts: number }>(path);
  const [chosen, setChosen] = useState<{ step: Step; group: Group }>();
  useEffect(again, [count]);
  if (failed !== undefined) return <Failed failed={failed} what="groups of parked facts" again={again} />;
  if (answer === undefined || answer.groups.length === 0) return null;
  return (
    <>
      <ul class="rows" aria-label="Waiting facts by reason and device">
        {answer.groups.map((group) => (
          <li key={`${group.reason} ${group.device}`} class="row parked-group" data-group={group.reason}>
            <span class="main">
              <b>
                {words(group.reason)} <span class="where">{deviceOf(group)}</span>
              </b>
              <small>
                {plural(group.facts, 'fact')}, the oldest {moment(group.since, nowMs.value)}
              </small>
            </span>
            <span class="end">
              <button
                type="button"
                onClick={() => filter({ reason: group.reason, device: group.device ?? NO_DEVICE, after: undefined })}
              >
                Show<span class="unseen"> {nameOf(group)}</span>
              </button>
              {(['resubmit', 'dismiss'] as const).map((step) => (
                <button key={step} type="button" onClick={() => setChosen({ step, group })}>
                  {words(step)}
                  <span class="unseen"> {nameOf(group)}</span>
                </button>
              ))}
            </span>
          </li>
        ))}
      </ul>
      {chosen !== undefined && (
        <GroupStep
          {...chosen}
          onDone={() => {
            setChosen(undefined);
            again();
            onDone();
          }}
        />
      )}
    </>
  );
}

/** In the address, because an empty value is left out of it. */
export const NO_DEVICE = '-';

function GroupStep({ step, group, onDone }: { step: Step; group: Group; onDone: () => void }) {
  const [done, setDone] = useState<Work>();
  const [so, setSo] = useState(0);
  const did = (facts: number) => `${plural(facts, 'fact')} ${step === 'resubmit' ? 'resubmitted' : 'dismissed'}.`;
  const decide = async (said: { by: string; why: string }) => {
    let facts = 0;
    let work: Work;
    let after: number | undefined;
    do {
      const { reason, device = '' } = group;
      work = await ask<Work>(`/v1/parked/${step}`, {
        reason,
        device,
        ...said,
        ...(after === undefined ? {} : { after }),
      });
      facts += work.facts;
      after = work.next;
      setSo(facts);
    } while (after !== undefined);
    announce(did(facts));
    if (work.left === undefined) onDone();
    else setDone({ ...work, facts });
  };
  return (
    <Modal title={`${words(step)}: ${nameOf(group)}`} onClose={onDone}>
      <p class="says">
        {step === 'resubmit'
          ? `${plural(group.facts, 'fact')} will be sent again as they came, and count. Each id is sent once.`
          : `${plural(group.facts, 'fact')} will never count. They stay in the list of dismissed facts.`}
      </p>
      {done === undefined ? (
        <DecisionForm decide={decide}>
          {words(step)} {plural(group.facts, 'fact')}
          {so > 0 && ` (${so} done)`}
        </DecisionForm>
      ) : (
        <>
          <p class="says" role="status">
            {did(done.facts)}
          </p>
          <ul>
            {done.left?.map(({ code, message, facts }) => (
              <li key={code}>
                {plural(facts, 'fact')} {facts === 1 ? 'waits' : 'wait'} on: {message}.
              </li>
            ))}
          </ul>
        </>
      )}
    </Modal>
  );
}

function deviceOf({ device }: Group): string {
  return device === undefined ? 'no device' : device;
}

function nameOf(group: Group): string {
  return `${words(group.reason)}, ${deviceOf(group)}`;
}
