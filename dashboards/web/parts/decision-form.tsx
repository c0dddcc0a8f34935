/** A form in a dialog that asks who decides and why. The name is remembered in this browser. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { remember, remembered } from '../base/remembered.ts';

interface DecisionFormProps {
  /** Carries the decision out. If it rejects, its message is shown and the form stays. */
  readonly decide: (said: { by: string; why: string }) => Promise<void>;
  /** The words on the button. */
  readonly children: ComponentChildren;
}

export function DecisionForm({ decide, children }: DecisionFormProps) {
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
    setTrouble(undefined);
    try {
      remember('who', said.by);
      await decide(said);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
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
          {children}
        </button>
      </div>
    </form>
  );
}
