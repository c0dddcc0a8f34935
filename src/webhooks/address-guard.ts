/**
 * Keeps webhooks away from private networks. Whoever may set a webhook could otherwise make a node ask services that only it can reach.
 *
 * Invariant AG1: a connection goes only to an address that was checked. A name is resolved once, every address of it is checked, and the
 * connection is made to these.
 */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Whether an address is one of the public internet. */
export function isPublic(address: string): boolean {
  // An IPv4 address inside an IPv6 address counts as itself.
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

/** Why a URL is refused before it is asked; undefined if only its name must be resolved. */
export function refusedUrl(url: string, allowPrivate: boolean): string | undefined {
  if (allowPrivate) return undefined;
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:') return 'must begin with https://';
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublic(host)) return NOT_PUBLIC;
  return undefined;
}

const NOT_PUBLIC = 'must not lead to a private, local or reserved address';

type Found = (error: Error | null, addresses: string | LookupAddress[], family?: number) => void;

/** Resolves a name for a connection, and refuses it if any of its addresses is not public (AG1). */
export function guardedLookup(hostname: string, options: LookupOptions, found: Found): void {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return found(error, []);
    const wrong = addresses.find(({ address }) => !isPublic(address));
    const [first] = addresses;
    if (wrong !== undefined || first === undefined) return found(new Error(`${hostname} ${NOT_PUBLIC}`), []);
    if (options.all === true) found(null, addresses);
    else found(null, first.address, first.family);
  });
}
