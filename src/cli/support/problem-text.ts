/** Turns a problem into sentences that say what is wrong and what to do. */

import type { ProblemBody } from '../../../streams/contract/stock.ts';
import { printable } from '../../../streams/names.ts';

const ADVICE: Readonly<Record<string, string>> = {
  unreachable:
    'Start everything with `npm run up` (or `holdfast up`), or name a running node with --http HOST:PORT or HOLDFAST_HTTP.',
  'not-holdfast': 'Name a node with --http HOST:PORT.',
  'insufficient-stock':
    'Nothing is held. Ask for less, let the line take from other locations, add :split to it, or take what there is with --partial.',
  'id-conflict': 'Use another id, or repeat the first request as it was.',
  'already-released': 'Reserve again, under another id.',
  'already-expired': 'Reserve again, under another id; --ttl gives it more time.',
  'not-found': 'Check what you asked for: names must match in upper and lower case.',
  undecided:
    'Ask again with the same id: it is carried out once at most. `holdfast doctor` says what is wrong if it lasts.',
  'not-ready': 'Wait until the node has caught up; `holdfast doctor` says what it waits for.',
  'internal-error': 'Look into the log of the node.',
};

export function problemText({ type, detail, errors, shortages }: ProblemBody): string {
  const lines = [sentence(detail)];
  // The detail already names the first three errors.
  if (errors !== undefined && errors.length > 3)
    for (const { field, message } of errors) lines.push(`  ${field} ${message}`);
  for (const { sku, requested, available } of shortages ?? [])
    lines.push(`  ${sku}: ${requested} requested, ${available} available`);
  const advice = ADVICE[type];
  if (advice !== undefined) lines.push(advice);
  return `${lines.map(printable).join('\n')}\n`;
}

function sentence(text: string): string {
  const start = /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
