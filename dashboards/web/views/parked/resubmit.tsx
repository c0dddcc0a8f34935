/** Submits a parked fact again. Unchanged, its original bytes are used; a corrected fact replaces them as JSON. */
import { useState } from 'preact/hooks';
import { announce } from '../../base/announce.ts';
import { words } from '../../base/format.ts';
import { remember, remembered } from '../../base/remembered.ts';
import { ask } from '../../data/requests.ts';
import { Modal } from '../../parts/modal.tsx';

export interface ParkedFact {
  readonly seq: number;
  readonly parkedAt: string;
  readonly reason: string;
  readonly message: string;
  readonly source: string;
  readonly contentType: string;
  /** The original bytes in base64; only the first of them if the fact is cut. */
  readonly bytes: string;
  readonly cut: boolean;
  readonly state: 'waiting' | 'resubmitted' | 'dismissed';
  readonly decided?: { readonly by?: string; readonly why?: string; readonly at: string };
  readonly id?: string;
  readonly sku?: string;
  readonly location?: string;
  readonly device?: string;
}

/** JSON as it arrived; any other form as its content type and length. */
export function textOf({ contentType, bytes }: ParkedFact): string {
  const raw = Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0));
  if (!contentType.includes('json')) return `${contentType}, ${raw.length} bytes`;
  return new TextDecoder().decode(raw);
}

export function Resubmit({ fact, onDone }: { readonly fact: ParkedFact; readonly onDone: () => void }) {
  const came = pretty(fact);
  const [text, setText] = useState(came);
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [by, setBy] = useState(remembered('who') ?? '');
  const [why, setWhy] = useState('');
  const changed = text !== came;
  const json = fact.contentType.includes('json');

  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const said = Object.entries({ by: by.trim(), why: why.trim() }).filter(([, text]) => text !== '');
      const path = `/v1/parked/${fact.seq}/resubmit?${new URLSearchParams(said)}`;
      await ask(path, changed ? JSON.parse(text) : undefined, undefined, 'POST');
      if (by.trim() !== '') remember('who', by.trim());
      announce(`Parked fact ${fact.seq} is submitted again.`);
      onDone();
    } catch (error) {
      setTrouble(error instanceof SyntaxError ? `This is no JSON: ${error.message}` : String((error as Error).message));
      setBusy(false);
    }
  };

  return (
    <Modal title={`Re-submit parked fact ${fact.seq}`} onClose={onDone}>
      <p class="says">
        <b>{words(fact.reason)}</b>: {fact.message}
      </p>
      <form onSubmit={(event) => void send(event)}>
        <label>
          The fact
          <textarea
            name="fact"
            rows={12}
            spellcheck={false}
            readOnly={!json}
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <label>
          Who
          <input name="by" value={by} maxLength={64} onInput={({ currentTarget }) => setBy(currentTarget.value)} />
        </label>
        <label>
          Why
          <input
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
            {changed ? 'Submit the corrected fact' : 'Submit it as it came'}
          </button>
        </div>
      </form>
    </Modal>
  );
}

function pretty(fact: ParkedFact): string {
  const text = textOf(fact);
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}
