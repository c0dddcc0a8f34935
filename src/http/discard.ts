/**
 * The rest of a body that is refused unread. A caller that is still sending when it is answered and cut off sees a broken pipe, not the
 * answer; so what is on its way is read and thrown away first, within bounds.
 */
import type { IncomingMessage } from 'node:http';
import { LIMITS } from '../../config/limits.ts';

/** Resolves with true when all of it has come, with false when a bound was met or the caller is gone. */
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
