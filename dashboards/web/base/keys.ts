/**
 * The keyboard: one listener for the page. Views add their own keys while they are shown.
 *
 * Invariants:
 *  KB1 Keys of one character do nothing while the reader writes text, while a dialog is open, or if the reader has turned them off
 *     (WCAG 2.1.4).
 *  KB2 j and k move the focus among the rows of the view (`data-row`), so Enter is the browser's own and a screen reader follows.
 */
import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { remember, remembered } from './remembered.ts';
import { go } from './route.ts';

export const keysOn = signal(remembered('keys') !== 'off');
export function switchKeys(on: boolean): void {
  keysOn.value = on;
  remember('keys', on ? 'on' : 'off');
}

export const helpShown = signal(false);

type Handlers = Readonly<Record<string, () => void>>;
const layers: { readonly current: Handlers }[] = [];

/** Adds the keys of a view or part while it is shown. The newest part that knows a key gets it. */
export function useKeys(handlers: Handlers): void {
  const newest = useRef(handlers);
  newest.current = handlers;
  useEffect(() => {
    layers.push(newest);
    return () => void layers.splice(layers.indexOf(newest), 1);
  }, []);
}

const PLACES: Readonly<Record<string, readonly string[]>> = {
  o: [],
  l: ['locations'],
  a: ['anomalies'],
  s: ['system'],
};
const SEQUENCE_MS = 1_500;
let goAt = Number.NEGATIVE_INFINITY;

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isWriting(event.target) || document.querySelector('dialog[open]') !== null) return;
  if (event.key !== 'Escape' && !keysOn.value) return;
  if (take(event.key)) event.preventDefault();
});

function take(key: string): boolean {
  const since = performance.now() - goAt;
  goAt = Number.NEGATIVE_INFINITY;
  const place = PLACES[key];
  if (since < SEQUENCE_MS && place !== undefined) {
    go(place);
    return true;
  }
  for (const { current } of layers.toReversed()) {
    const handler = current[key];
    if (handler === undefined) continue;
    handler();
    return true;
  }
  if (key === 'g') goAt = performance.now();
  else if (key === 'j') moveRow(1);
  else if (key === 'k') moveRow(-1);
  else if (key === '?') helpShown.value = true;
  else return false;
  return true;
}

// True if a key would be text in the focused element (KB1).
function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** The row that has the focus or contains the element that has it. */
export function focusedRow(): HTMLElement | undefined {
  return document.activeElement?.closest<HTMLElement>('[data-row]') ?? undefined;
}

/** For lists that sort themselves again. A browser removes the focus from an element that is moved, and this restores it. */
export function useKeptFocus(): void {
  const before = document.activeElement;
  useLayoutEffect(() => {
    if (!(before instanceof HTMLElement) || before === document.body || document.activeElement !== document.body)
      return;
    if (before.isConnected) before.focus({ preventScroll: true });
  });
}

// Moves the real focus, so Enter needs no code here (KB2).
function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  const current = focusedRow();
  const at = current === undefined ? -1 : rows.indexOf(current);
  const next = rows[at < 0 ? (step === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  if (next === undefined) return;
  const target = next.matches('a, button') ? next : (next.querySelector<HTMLElement>('a, button') ?? next);
  target.focus();
  target.scrollIntoView({ block: 'nearest' });
}
