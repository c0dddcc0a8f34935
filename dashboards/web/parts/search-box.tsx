/**
 * The search box finds SKUs and locations while the reader types. Arrow keys choose, Enter opens, Esc leaves. It follows ARIA's
 * combobox pattern.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useKeys } from '../base/keys.ts';
import { href } from '../base/route.ts';
import { useAnswer } from '../data/use-answer.ts';
import { Icon } from './icon.tsx';

const LIMIT = 8;
const PAUSE_MS = 120;

interface Found {
  readonly skus: readonly string[];
  readonly locations: readonly string[];
  /** How the found SKUs are called. */
  readonly names: Readonly<Record<string, string>>;
}

export function SearchBox() {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [asked, setAsked] = useState('');
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(0);
  useKeys({ '/': () => input.current?.select() });
  useEffect(() => {
    const pause = setTimeout(() => setAsked(text.trim()), PAUSE_MS);
    return () => clearTimeout(pause);
  }, [text]);
  const query = new URLSearchParams({ q: asked, limit: String(LIMIT) });
  const { answer, failed, loading } = useAnswer<Found>(asked === '' ? undefined : `/v1/search?${query}`);
  // The last result stays until the next answer, so the list does not flicker at every letter.
  const newest = useRef<Found>(undefined);
  if (asked === '') newest.current = undefined;
  else if (answer !== undefined) newest.current = answer;
  const found = answer ?? newest.current;
  const options = [
    ...(found?.locations ?? []).map((name) => ({ kind: 'Location', name, to: href(['locations', name]), called: '' })),
    ...(found?.skus ?? []).map((name) => ({
      kind: 'SKU',
      name,
      to: href(['sku', name]),
      called: found?.names[name] ?? '',
    })),
  ];
  const shown = open && text.trim() !== '';
  const at = Math.min(chosen, options.length - 1);

  const leave = () => {
    setOpen(false);
    setText('');
    input.current?.blur();
  };
  const take = (to: string) => {
    leave();
    location.hash = to;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setChosen(Math.max(0, Math.min(options.length - 1, at + 1)));
    else if (event.key === 'ArrowUp') setChosen(Math.max(0, at - 1));
    else if (event.key === 'Escape') leave();
    else if (event.key === 'Enter' && options[at] !== undefined && answer !== undefined && asked === text.trim())
      take(options[at].to);
    else return;
    event.preventDefault();
  };

  return (
    <search class="search">
      <Icon name="search" />
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Find a SKU or location"
        aria-expanded={shown}
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={shown && at >= 0 ? `found-${at}` : undefined}
        placeholder="Find a SKU or location"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
          setChosen(0);
          setOpen(true);
        }}
        onKeyDown={onKeyDown}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
      />
      <kbd class="hint">/</kbd>
      <div id="found" class="found" role="listbox" aria-label="Found" hidden={!shown || options.length === 0}>
        {options.map(({ kind, name, to, called }, i) => (
          <div
            key={to}
            id={`found-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            // A click would come after the blur that closes the list, so mousedown chooses.
            onMouseDown={(event) => {
              event.preventDefault();
              take(to);
            }}
          >
            <Icon name={kind === 'SKU' ? 'overview' : 'place'} />
            <span class="code">{name}</span>
            <small>{called === '' ? kind : <bdi>{called}</bdi>}</small>
          </div>
        ))}
      </div>
      {shown && options.length === 0 && (
        <div class="found none" role="status">
          {failed !== undefined ? failed.message : loading || asked !== text.trim() ? 'Looking…' : 'Nothing found.'}
        </div>
      )}
    </search>
  );
}
