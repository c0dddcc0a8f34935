/**
 * Reads the bodies of requests, within bounds for each and for all of them together.
 *
 * Invariants:
 *  BR1 A body counts with the bytes that have come, not with those that were announced, until its request is answered. All bodies together
 *      keep to LIMITS.bodiesBytes; the next one is refused with 503 at once, and its rest is thrown away as it comes.
 *  BR2 A body that makes no progress for LIMITS.bodyProgressMs is cut. (That headers and body have come in LIMITS.requestReadMs is the
 *      server's own rule.)
 *  BR3 Whatever ends a body, its bytes are given back once.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LIMITS } from '../../config/limits.ts';
import { FrontProblem } from '../problems.ts';

/** What a chunk costs beside its bytes, about: a body may come byte by byte. */
const CHUNK_BYTES = 256;

interface Incoming {
  bytes: number;
  /** Bytes and time at the last look that found progress. */
  seen: number;
  seenAt: number;
  readonly cut: (error: Error) => void;
}

/** Thrown for a body that is refused before all of it has come. */
export class UnreadBody extends FrontProblem {}

export class BodyReader {
  #held = 0;
  readonly #coming = new Set<Incoming>();
  readonly #nowMs: () => number;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Bytes of all bodies that are in memory. */
  get held(): number {
    return this.#held;
  }

  /** Rejects with an UnreadBody, or with the error that ended the connection. @param limit bytes of this body */
  read(body: IncomingMessage, response: ServerResponse, limit: number): Promise<Buffer> {
    if (Number(body.headers['content-length']) > limit) return Promise.reject(tooLarge(limit));
    return new Promise((resolve, reject) => {
      let chunks: Buffer[] = [];
      let held = 0;
      const end = () => {
        body.off('data', take).off('end', whole).off('error', cut).off('close', gone);
        this.#coming.delete(coming);
      };
      const release = () => {
        this.#held -= held;
        held = 0;
      };
      const cut = (error: Error) => {
        end();
        chunks = [];
        release();
        reject(error);
      };
      const gone = () => cut(new FrontProblem('bad-request', 'the connection ended before the body did'));
      const whole = () => {
        end();
        response.once('finish', release).once('close', release);
        resolve(Buffer.concat(chunks, coming.bytes));
      };
      const take = (chunk: Buffer) => {
        coming.bytes += chunk.length;
        held += chunk.length + CHUNK_BYTES;
        this.#held += chunk.length + CHUNK_BYTES;
        if (coming.bytes > limit) return cut(tooLarge(limit));
        if (this.#held > LIMITS.bodiesBytes)
          return cut(new UnreadBody('busy', 'the bodies of other requests fill the memory that is set aside for them'));
        chunks.push(chunk);
      };
      const now = this.#nowMs();
      const coming: Incoming = { bytes: 0, seen: 0, seenAt: now, cut };
      this.#coming.add(coming);
      body.on('data', take).on('end', whole).on('error', cut).on('close', gone);
    });
  }

  /** Cuts the bodies that make no progress. To be called about once a second. */
  watch(): void {
    const now = this.#nowMs();
    for (const coming of this.#coming) {
      if (now - coming.seenAt < LIMITS.bodyProgressMs) continue;
      if (coming.bytes - coming.seen < LIMITS.bodyProgressBytes)
        coming.cut(
          new FrontProblem(
            'too-slow',
            `${coming.bytes - coming.seen} bytes of the body came in the last ${LIMITS.bodyProgressMs / 1000} s; at least ${LIMITS.bodyProgressBytes} are expected`,
          ),
        );
      coming.seen = coming.bytes;
      coming.seenAt = now;
    }
  }
}

function tooLarge(limit: number): UnreadBody {
  return new UnreadBody('too-large', `the body is larger than ${sizeOf(limit)}`);
}

function sizeOf(bytes: number): string {
  return bytes % (1024 * 1024) === 0 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`;
}
