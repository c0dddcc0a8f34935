/**
 * The reader's place, kept in the address behind `#`. Every view and filter is therefore a link, and the server needs to know no
 * view.
 *
 * Invariant RT1: only the address decides what is shown, so back, reload and a shared link give the same view.
 */
import { signal } from '@preact/signals';

export interface Route {
  /** Decoded parts: `#/sku/85123A/uk-dc` is ['sku', '85123A', 'uk-dc'], and the overview is []. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export const route = signal<Route>(parse(location.hash));
addEventListener('hashchange', () => {
  route.value = parse(location.hash);
});

export function href(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') asked.set(name, value);
  const behind = asked.size === 0 ? '' : `?${asked}`;
  return `#/${path.map(encodeURIComponent).join('/')}${behind}`;
}

export function go(path: readonly string[], query?: Readonly<Record<string, string | undefined>>): void {
  location.hash = href(path, query);
}

/** Changes filters without adding an entry to the history. */
export function filter(changes: Readonly<Record<string, string | undefined>>): void {
  const { path, query } = route.value;
  history.replaceState(null, '', href(path, { ...query, ...changes }));
  route.value = parse(location.hash);
}

// The route is parsed from the address and nothing else (RT1).
function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return {
    path: path
      .split('/')
      .filter((part) => part !== '')
      .map(decoded),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** A link that was cut in the middle of an escape still opens. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
