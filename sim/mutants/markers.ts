/** Markers of mutants in the program's text, and what each of them marks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Edit } from './mutant.ts';

const MARKER = /^ *\/\/ mutant: ([a-z-]+)$/gm;
const PRODUCT = ['actors', 'config', 'dashboards', 'src', 'streams'];

/** The file of every marker in the program. A marker that is there twice is an error. */
export function markersIn(root: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of PRODUCT) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const file = join(folder, name);
      for (const [, marker = ''] of readFileSync(join(root, file), 'utf8').matchAll(MARKER)) {
        if (files.has(marker)) throw new Error(`the marker ${marker} is in ${files.get(marker)} and in ${file}`);
        files.set(marker, file);
      }
    }
  }
  return files;
}

/** The text with the edit in it. */
export function edited(text: string, { marker, put, head, statements }: Edit): string {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.trim() === `// mutant: ${marker}`) + 1;
  let to = from;
  if (from === 0) throw new Error(`no marker ${marker}`);
  if (head) to = lines.findIndex((line, at) => at >= from && line.endsWith('{')) + 1;
  else for (let i = 0; i < statements; i++) to = endOf(lines, to);
  return [...lines.slice(0, from), put, ...lines.slice(to)].join('\n');
}

/** The line behind the statement that begins at this line: its brackets are closed, and it ends as statements and elements of lists do. */
function endOf(lines: readonly string[], from: number): number {
  let open = 0;
  for (let at = from; at < lines.length; at++) {
    const line = (lines[at] as string).replaceAll(/'[^']*'|\/\/.*$/g, '');
    open += (line.match(/[([{]/g) ?? []).length - (line.match(/[)\]}]/g) ?? []).length;
    if (open <= 0 && /[;,}]$/.test(line) && !/^ *(else|catch|finally)\b/.test(lines[at + 1] ?? '')) return at + 1;
  }
  throw new Error(`no statement ends behind line ${from}`);
}
