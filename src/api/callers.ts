/**
 * Who may ask over HTTP and the live feed. A browser carries its user's network position to any page that it shows: so a page of another
 * origin may not ask, and a name that is not this node's own is not answered, because DNS can point any name here (DNS rebinding).
 *
 * Invariants:
 *  CA1 HTTP requests and WebSocket upgrades are judged here and nowhere else. Only /healthz, which says nothing, is answered to anybody.
 *  CA2 Only what a browser says of itself is judged. A caller that is no browser sends neither Origin nor Sec-Fetch-Site.
 */
import { at } from '../../streams/assert.ts';
import type { ProblemKind } from '../problems.ts';

export interface Callers {
  /** Names that `Host` may have, in lower case, without a port; `*`: any. */
  readonly hosts: readonly string[];
  /** Origins of other pages that may ask, in lower case. */
  readonly origins: readonly string[];
}

/**
 * Headers of every answer that sets none of its own: nobody keeps it, guesses its type, shows it in a frame or embeds it. In small letters,
 * in which the framework keeps them.
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
} as const;

/** The names in the setting, and the host on which HTTP listens if it is one address. */
export function namesOf(hosts: readonly string[], listens: string): string[] {
  const host = hostOf(listens);
  return host === '0.0.0.0' || host === '[::]' ? [...hosts] : [...new Set([...hosts, host])];
}

/** Why this request is not answered; undefined if it is. @param rawHeaders names and values in turn (CA1) */
export function refusalOfCaller(
  rawHeaders: readonly string[],
  { hosts, origins }: Callers,
): readonly [ProblemKind, string] | undefined {
  const host = headerOf(rawHeaders, 'host') ?? '';
  const origin = headerOf(rawHeaders, 'origin');
  if (!hosts.includes('*') && !hosts.includes(hostOf(host)))
    return [
      'unknown-host',
      host === ''
        ? 'the request names no Host'
        : `the node does not answer to the host ${host.slice(0, 100)}; HOLDFAST_HOSTS names those that it answers to`,
    ];
  if (origin === undefined)
    return headerOf(rawHeaders, 'sec-fetch-site') === 'cross-site'
      ? ['foreign-origin', 'a page of another site asks; HOLDFAST_ORIGINS names those that may']
      : undefined;
  if (origins.includes(origin.toLowerCase()) || isOwn(origin, host)) return undefined;
  return ['foreign-origin', `pages of ${origin.slice(0, 100)} may not ask here; HOLDFAST_ORIGINS names those that may`];
}

/**
 * The first header of this name, in small letters. The framework reads no header of a GET, and making an object of all of them costs more
 * than this.
 */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = at(rawHeaders, i);
    if (given.length === name.length && given.toLowerCase() === name) return rawHeaders[i + 1];
  }
  return undefined;
}

/** Without the port, in lower case. */
function hostOf(hostPort: string): string {
  // Callers ask under the same name again and again.
  if (hostPort !== lastHostPort) {
    lastHost = hostPort.toLowerCase().replace(/:\d*$/, '');
    lastHostPort = hostPort;
  }
  return lastHost;
}

let [lastHostPort, lastHost] = ['', ''];

/** Browsers leave the scheme's usual port out of both. */
function isOwn(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === host.toLowerCase();
  } catch {
    return false;
  }
}
