/** Filters that are kept in the address: a row of choices, or a drop-down list. */
import type { ComponentChildren } from 'preact';
import { filter, route } from '../base/route.ts';

interface ChoicesProps {
  /** The parameter's name in the address's query. */
  readonly name: string;
  readonly label: string;
  readonly choices: readonly (readonly [value: string, words: ComponentChildren])[];
  /** The value that applies if the address names none. Default: the first. */
  readonly initial?: string;
}

export function Choices({ name, label, choices, initial = choices[0]?.[0] }: ChoicesProps) {
  const holds = route.value.query[name] ?? initial;
  return (
    <fieldset class="choices">
      <legend class="unseen">{label}</legend>
      {choices.map(([value, words]) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === holds}
          onClick={() => filter({ [name]: value === initial ? undefined : value })}
        >
          {words}
        </button>
      ))}
    </fieldset>
  );
}

interface PickProps {
  readonly name: string;
  readonly label: string;
  readonly any: string;
  readonly options: readonly (readonly [string, string])[];
}

export function Pick({ name, label, any, options }: PickProps) {
  return (
    <select
      aria-label={label}
      value={route.value.query[name] ?? ''}
      onChange={({ currentTarget }) => filter({ [name]: currentTarget.value })}
    >
      <option value="">{any}</option>
      {options.map(([value, words]) => (
        <option key={value} value={value}>
          {words}
        </option>
      ))}
    </select>
  );
}
