/**
 * Reads the system's own apt sources, in both of their forms, and writes the ones that a fetch needs.
 *
 * Invariants:
 *  AX1 Mirrors and keyrings come from the system at run time; this project contains no address of any.
 *  AX2 Every option of a source (Signed-By with a path or an inline key, Trusted, Architectures, …) is carried over,
 *     so a fetch trusts exactly what the system trusts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One binary source: its addresses, suites and components, and its options by their deb822 names. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

/** deb822 names of the options that the one-line form spells differently. */
const ONE_LINE_OPTIONS: Readonly<Record<string, string>> = {
  arch: 'Architectures',
  lang: 'Languages',
  target: 'Targets',
  pdiffs: 'PDiffs',
};

/** All enabled binary sources of the system (AX1). */
export function readAptSources(etcApt = '/etc/apt'): AptSource[] {
  const found: AptSource[] = [];
  const parts = join(etcApt, 'sources.list.d');
  const files = [join(etcApt, 'sources.list')];
  if (existsSync(parts))
    files.push(
      ...readdirSync(parts)
        .sort()
        .map((name) => join(parts, name)),
    );
  for (const file of files) {
    if (!existsSync(file)) continue;
    if (file.endsWith('.sources')) found.push(...parseDeb822(readFileSync(file, 'utf8')));
    else if (file.endsWith('.list')) found.push(...parseOneLine(readFileSync(file, 'utf8')));
  }
  return found;
}

export function parseDeb822(text: string): AptSource[] {
  const withoutComments = text
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  return withoutComments.split(/\n[ \t]*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    let current = '';
    for (const line of stanza.split('\n')) {
      const field = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line);
      if (field) {
        current = canonical(field[1] ?? '');
        fields.set(current, (field[2] ?? '').trimEnd());
      } else if (/^[ \t]/.test(line) && current !== '') {
        fields.set(current, `${fields.get(current) ?? ''}\n${line.trimEnd()}`);
      }
    }
    return fromFields(fields);
  });
}

export function parseOneLine(text: string): AptSource[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const source = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]\S*)*)/.exec(line);
    if (!source) return [];
    const options: Record<string, string> = {};
    for (const option of words(source[1] ?? '')) {
      const [name = '', ...rest] = option.split('=');
      const spelled = ONE_LINE_OPTIONS[name.toLowerCase()] ?? canonical(name.replace(/[+-]$/, ''));
      options[spelled] = rest.join('=').replaceAll(',', ' ');
    }
    return [{ uris: [source[2] ?? ''], suites: [source[3] ?? ''], components: words(source[4] ?? ''), options }];
  });
}

/** The deb822 text of a source (AX2). */
export function showAptSource(source: AptSource): string {
  const lines = ['Types: deb', `URIs: ${source.uris.join(' ')}`, `Suites: ${source.suites.join(' ')}`];
  if (source.components.length > 0) lines.push(`Components: ${source.components.join(' ')}`);
  for (const [name, value] of Object.entries(source.options)) lines.push(`${name}: ${value}`);
  return `${lines.join('\n')}\n`;
}

function fromFields(fields: ReadonlyMap<string, string>): AptSource[] {
  const take = (name: string) => words(fields.get(name) ?? '');
  if (!take('Types').includes('deb') || /^(no|false|0|off|disable)$/i.test(fields.get('Enabled') ?? '')) return [];
  const options: Record<string, string> = {};
  for (const [name, value] of fields) {
    if (!['Types', 'Uris', 'Suites', 'Components', 'Enabled', 'X-Repolib-Name'].includes(name)) options[name] = value;
  }
  return [{ uris: take('Uris'), suites: take('Suites'), components: take('Components'), options }];
}

/** Field names are case-insensitive: signed-by is Signed-By. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
