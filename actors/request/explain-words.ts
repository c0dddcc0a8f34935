/** The words of an explanation's step: the fields of a fact, each cut to a bound. */
import { LIMITS } from '../../config/limits.ts';

const SHOWN = new Set(['id', 'type', 'sku', 'location', 'occurredAt']);

/** The fact's fields, without those that the step already shows. */
export function detailOf(value: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(value).filter(([name]) => !SHOWN.has(name));
  const told = fields.slice(0, LIMITS.explainFields).map(([name, each]) => cut(`${name} ${wordsOf(each)}`));
  if (fields.length > told.length) told.push(`and ${fields.length - told.length} more fields`);
  return told.join(', ');
}

function wordsOf(value: unknown): string {
  try {
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  } catch {
    return '(nested too deep to be shown)';
  }
}

function cut(text: string): string {
  return text.length <= LIMITS.explainFieldChars ? text : `${text.slice(0, LIMITS.explainFieldChars).toWellFormed()}…`;
}
