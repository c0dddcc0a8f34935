/**
 * A chip that says whether the numbers are live, and a banner that says how old they are once the connection is lost.
 */
import { useEffect, useRef } from 'preact/hooks';
import { announce } from '../base/announce.ts';
import { span, time } from '../base/format.ts';
import { nowMs } from '../base/now.ts';
import { link, retryNow } from '../data/live-socket.ts';
import { Icon } from './icon.tsx';

export function LinkChip() {
  const { phase, heardAt } = link.value;
  if (phase === 'lost') {
    return (
      <span class="chip bad" data-link="lost">
        <Icon name="lost" /> Not connected
      </span>
    );
  }
  if (phase === 'connecting' || heardAt === null) {
    return (
      <span class="chip" data-link="connecting">
        <span class="pulse" aria-hidden="true" /> Connecting
      </span>
    );
  }
  return (
    <span class="chip good" data-link="open">
      <span class="beat" aria-hidden="true" /> Live
    </span>
  );
}

export function LinkBanner() {
  const { phase, heardAt, retryAt } = link.value;
  const before = useRef(phase);
  useEffect(() => {
    if (before.current === 'open' && phase === 'lost') announce('Connection lost. Numbers are no longer live.');
    if (before.current === 'lost' && phase === 'open') announce('Connected again. Numbers are live.');
    before.current = phase;
  }, [phase]);
  if (phase !== 'lost') return null;
  const now = nowMs.value;
  const old = heardAt === null ? undefined : Math.max(0, Math.round((now - heardAt) / 1_000));
  const wait = retryAt === null ? undefined : Math.max(0, Math.round((retryAt - now) / 1_000));
  return (
    <div class="banner" data-banner="lost">
      <Icon name="lost" />
      <p>
        {old === undefined ? (
          <strong>No connection to the node yet.</strong>
        ) : (
          <>
            <strong>
              Numbers are from {time(heardAt)}, {span(old)} old.
            </strong>{' '}
            The connection to the node is lost.
          </>
        )}{' '}
        {wait === undefined ? 'Trying now…' : `Trying again in ${wait} s.`}
      </p>
      <button type="button" onClick={retryNow}>
        Try now
      </button>
    </div>
  );
}
