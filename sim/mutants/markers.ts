/** Finds mutant markers in the program's text, and the statements that they mark. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Edit } from './mutant.ts';

const MARKER = /^ *\/\/ mutant: ([a-z-]+)$/gm;
const PRODUCT = ['actors', 'config', 'dashboards', 'src', 'streams'];

/** Returns the file of every marker in the program. Throws if a marker occurs twice. */
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

/** Returns the text with the edit applied. */
export function edited(text: string, { marker, put, head, statements }: Edit): string {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.trim() === `// mutant: ${marker}`) + 1;
  let to = from;
  if (from === 0) throw new Error(`no marker ${marker}`);
  if (head) to = lines.findIndex((line, at) => at >= from && line.endsWith('{')) + 1;
  else for (let i = 0; i < statements; i++) to = endOf(lines, to);
  return [...lines.slice(0, from), put, ...lines.slice(to)].join('\n');
}

/**
 * Returns the line after the statement that begins at `from`. The statement ends when its brackets are closed and its line ends in `;`, `,`
 * or `}`.
 */
function endOf(lines: readonly string[], from: number): number {
  let open = 0;
  for (let at = from; at < lines.length; at++) {
    const line = (lines[at] as string).replaceAll(/'[^']*'|\/\/.*$/g, '');
    open += (line.match(/[([{]/g) ?? []).length - (line.match(/[)\]}]/g) ?? []).length;
    if (open <= 0 && /[;,}]$/.test(line) && !/^ *(else|catch|finally)\b/.test(lines[at + 1] ?? '')) return at + 1;
  }
  throw new Error(`no statement ends behind line ${from}`);
}
