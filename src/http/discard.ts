/**
 * Discards the rest of a body that is refused unread. A caller that is cut off while it still sends sees a broken pipe instead of the
 * answer, so the bytes in transit are read and dropped first, within bounds.
 */
import type { IncomingMessage } from 'node:http';
import { LIMITS } from '../../config/limits.ts';

/** Resolves with true once the whole body has arrived, or with false if a bound was reached or the caller is gone. */
export function discard(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return Promise.resolve(request.complete);
  return new Promise((resolve) => {
    let bytes = 0;
    const end = () => {
      clearTimeout(late);
      request.off('data', count).off('end', end).off('close', end).pause();
      resolve(request.complete);
    };
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LIMITS.discardedBytes) end();
    };
    const late = setTimeout(end, LIMITS.discardMs);
    request.on('data', count).on('end', end).on('close', end).resume();
  });
}
