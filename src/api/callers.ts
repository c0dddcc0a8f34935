/**
 * Decides who may call over HTTP and the live feed. A browser lets any page act from its user's place in the network, so pages of other
 * origins are refused. Requests to a foreign host name are refused too, because DNS can point any name at this node (DNS rebinding).
 *
 * Invariants:
 *  CA1 HTTP requests and WebSocket upgrades are checked here and nowhere else. Only /healthz, which reveals nothing, answers everyone.
 *  CA2 Origin checks rely on the headers that browsers set. A caller that is not a browser sends neither Origin nor Sec-Fetch-Site.
 */
import { at } from '../../streams/assert.ts';
import type { ProblemKind } from '../error-status.ts';

export interface Callers {
  /** Allowed names in `Host`, in lower case and without a port; `*` allows any. */
  readonly hosts: readonly string[];
  /** Other origins whose pages may call, in lower case. */
  readonly origins: readonly string[];
}

/**
 * Default headers of every answer. They forbid caching, guessing its type, framing and embedding. The names are in lower case, as the
 * framework stores them.
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
} as const;

/** The configured names, and the host on which HTTP listens unless it listens on all addresses. */
export function namesOf(hosts: readonly string[], listens: string): string[] {
  const host = hostOf(listens);
  return host === '0.0.0.0' || host === '[::]' ? [...hosts] : [...new Set([...hosts, host])];
}

/** Returns why a request is refused, or undefined if it is admitted (CA1). @param rawHeaders alternating names and values */
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
 * The first header with this name. The framework reads no headers for a GET, and building an object of all of them would cost more.
 * @param name the name in lower case
 */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = at(rawHeaders, i);
    if (given.length === name.length && given.toLowerCase() === name) return rawHeaders[i + 1];
  }
  return undefined;
}

/** The host without its port, in lower case. */
function hostOf(hostPort: string): string {
  // The last result is cached, because most callers use the same name.
  if (hostPort !== lastHostPort) {
    lastHost = hostPort.toLowerCase().replace(/:\d*$/, '');
    lastHostPort = hostPort;
  }
  return lastHost;
}

let [lastHostPort, lastHost] = ['', ''];

/** True if the origin is this node's own. Browsers omit the scheme's default port from both headers. */
function isOwn(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === host.toLowerCase();
  } catch {
    return false;
  }
}
