/** What identifies a request, and the version of a reservation: a hash of the content, and the test of an If-Match. */
import { DEFAULT_TTL_SECONDS, type ReservationRequest } from '../../streams/contract/stock.ts';
import { type Hash64, hash64 } from '../../streams/hash.ts';

/** Hashes everything in a request, with defaults filled in. Two requests with one id are the same only if their hashes are equal. */
export function contentOf(request: ReservationRequest): Hash64 {
  const { channel, purpose, ttlSeconds = DEFAULT_TTL_SECONDS, partial, confirm: confirmed } = request;
  // Fields that came later are hashed only if they are given, so that a retry of an earlier request stays the same.
  const lines = request.lines.map(({ sku, qty, locations, split, line, by, backorder }) => [
    ...[sku, qty, locations ?? null, split],
    ...(line === undefined ? [] : [line]),
    ...(by === undefined ? [] : [{ by }]),
    ...(backorder === true ? [{ backorder }] : []),
  ]);
  const all = [channel, purpose, ttlSeconds, partial, lines];
  return hash64(JSON.stringify(confirmed === true ? [...all, 'confirm'] : all));
}

/** Whether one of the versions of an If-Match is this one. */
export function matches(ifMatch: string, etag: string): boolean {
  return ifMatch.split(',').some((each) => {
    const version = each.trim().replace(/^"(.*)"$/, '$1');
    return version === etag || version === '*';
  });
}
