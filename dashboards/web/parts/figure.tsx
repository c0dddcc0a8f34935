/** A number with its name. A short mark shows that it has changed, and nothing moves. */
import { useRef } from 'preact/hooks';
import { brief, plural, units } from '../base/format.ts';
import type { Tone } from '../base/tone.ts';
import { Icon, type IconName } from './icon.tsx';

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly note?: string | undefined;
  readonly tone?: Tone;
  readonly href?: string | undefined;
  /** Identifies the figure for tests and for links to it. */
  readonly id: string;
}

const TONE_ICON: Readonly<Record<Tone, IconName | undefined>> = {
  plain: undefined,
  good: 'good',
  warn: 'warning',
  bad: 'critical',
};

export function Figure({ name, value, note, tone = 'plain', href, id }: FigureProps) {
  const icon = TONE_ICON[tone];
  return (
    <div class={`figure ${tone}`} data-figure={id}>
      <dt>{href === undefined ? name : <a href={href}>{name}</a>}</dt>
      <dd>
        {icon !== undefined && <Icon name={icon} />}
        <Ticking text={value} />
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  );
}

interface PromisedProps {
  readonly held: number;
  readonly allocated: number;
}

export function Promised({ held, allocated }: PromisedProps) {
  const note = `${brief(held)} held, ${brief(allocated)} allocated`;
  return <Figure id="promised" name="Promised" value={brief(held + allocated)} note={note} />;
}

interface OversoldProps {
  readonly units: number;
  readonly href?: string;
}

/** Promised units that are not there. */
export function Oversold({ units: oversold, href }: OversoldProps) {
  const [note, tone] =
    oversold === 0 ? (['all promised are there', 'good'] as const) : (['promised, not there', 'bad'] as const);
  return <Figure id="oversold" name="Oversold" value={brief(oversold)} note={note} tone={tone} href={href} />;
}

interface BelowZeroProps {
  readonly units: number;
  /** Number of stock keys that are below zero. */
  readonly keys: number;
  readonly href?: string;
}

/** How far books are below zero. The note says that the sum on hand is another part of the stock. */
export function BelowZero({ units: below, keys, href }: BelowZeroProps) {
  const [note, tone] =
    keys === 0
      ? (['no stock key', 'good'] as const)
      : ([`at ${plural(keys, 'stock key')}, apart from on hand`, 'warn'] as const);
  return <Figure id="negative" name="Below zero" value={brief(below)} note={note} tone={tone} href={href} />;
}

/** Units of one kind in a table. 0 is faint, and a negative number stands out. */
export function Units({ value }: { readonly value: number }) {
  return (
    <span class={value < 0 ? 'num below' : value === 0 ? 'num zero' : 'num'}>
      <Ticking text={units(value)} />
    </span>
  );
}

/** Text that is marked briefly when it changes. A new key makes a new element, which starts the animation. */
function Ticking({ text }: { readonly text: string }) {
  const seen = useRef({ text, changes: 0 });
  if (seen.current.text !== text) seen.current = { text, changes: seen.current.changes + 1 };
  const { changes } = seen.current;
  return (
    <span key={changes} class={changes === 0 ? 'value' : 'value ticked'}>
      {text}
    </span>
  );
}
