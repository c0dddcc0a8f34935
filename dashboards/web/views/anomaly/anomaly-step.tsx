/**
 * The dialog that acknowledges or resolves an anomaly, with a name and a reason. The name is remembered in this
 * browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Anomaly } from '../../../topics.ts';
import { announce } from '../../base/announce.ts';
import { words } from '../../base/format.ts';
import { remember, remembered } from '../../base/remembered.ts';
import { actOn } from '../../data/anomalies.ts';
import { Modal } from '../../parts/modal.tsx';

interface StepProps {
  readonly does: 'acknowledge' | 'resolve';
  readonly anomaly: Anomaly;
  readonly onDone: () => void;
}

export function AnomalyStep({ does, anomaly, onDone }: StepProps) {
  const [by, setBy] = useState(remembered('who') ?? '');
  const [why, setWhy] = useState('');
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const second = useRef<HTMLInputElement>(null);
  useEffect(() => (by === '' ? first : second).current?.focus(), []);

  const send = async (event: Event) => {
    event.preventDefault();
    const said = { by: by.trim(), why: why.trim() };
    if (said.by === '' || said.why === '') {
      setTrouble('Say who you are and why.');
      return;
    }
    setBusy(true);
    try {
      await actOn(anomaly.id, does, said);
      remember('who', said.by);
      announce(`${words(anomaly.kind)} ${does}d.`);
      onDone();
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <Modal title={`${words(does)}: ${words(anomaly.kind)}`} onClose={onDone}>
      <p class="says">{anomaly.data.says}</p>
      <form onSubmit={(event) => void send(event)}>
        <label>
          Who
          <input
            ref={first}
            name="by"
            value={by}
            maxLength={64}
            onInput={({ currentTarget }) => setBy(currentTarget.value)}
          />
        </label>
        <label>
          Why
          <input
            ref={second}
            name="why"
            value={why}
            maxLength={500}
            autocomplete="off"
            onInput={({ currentTarget }) => setWhy(currentTarget.value)}
          />
        </label>
        {trouble !== undefined && (
          <p class="trouble" role="alert">
            {trouble}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="strong" disabled={busy}>
            {words(does)} <kbd>Enter</kbd>
          </button>
        </div>
      </form>
    </Modal>
  );
}
