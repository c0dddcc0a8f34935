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

/** Thrown for a body that is refused before all of it has come. */
export class UnreadBody extends FrontProblem {}

/** A body that is coming. Its listeners stay: taking them off costs more than they do. */
class Incoming {
  bytes = 0;
  chunks: Buffer[] = [];
  ended = false;
  /** Bytes and time at the last look that found progress. */
  seen = 0;
  seenAt: number;
  readonly #done: Read;

  constructor(now: number, done: Read) {
    this.seenAt = now;
    this.#done = done;
  }

  whole(): void {
    this.#end(null, Buffer.concat(this.chunks, this.bytes));
  }

  cut(error: Error): void {
    this.#end(error, NOTHING);
  }

  // BR3.
  #end(error: Error | null, bytes: Buffer): void {
    if (this.ended) return;
    this.ended = true;
    this.chunks = [];
    this.#done(error, bytes);
  }
}

type Read = (error: Error | null, bytes: Buffer) => void;

const NOTHING = Buffer.alloc(0);

export class BodyReader {
  #held = 0;
  readonly #coming = new Set<Incoming>();
  readonly #nowMs: () => number;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Bytes of all bodies that are in memory (BR1). */
  get held(): number {
    return this.#held;
  }

  /**
   * Reads one body.
   * @param response its answer, whose end gives the bytes back
   * @param limit bytes of this body
   * @param done is called once, with a FrontProblem or with the whole body
   */
  read(body: IncomingMessage, response: ServerResponse, limit: number, done: Read): void {
    if (Number(body.headers['content-length']) > limit) return done(tooLarge(limit), NOTHING);
    const coming = new Incoming(this.#nowMs(), (error, bytes) => {
      this.#coming.delete(coming);
      if (error !== null) release();
      done(error, bytes);
    });
    let held = 0;
    const release = () => {
      this.#held -= held;
      held = 0;
    };
    this.#coming.add(coming);
    body
      .on('data', (chunk: Buffer) => {
        if (coming.ended) return;
        coming.bytes += chunk.length;
        held += chunk.length + CHUNK_BYTES;
        this.#held += chunk.length + CHUNK_BYTES;
        if (coming.bytes > limit) coming.cut(tooLarge(limit));
        else if (this.#held > LIMITS.bodiesBytes) coming.cut(tooMany());
        else coming.chunks.push(chunk);
      })
      .on('end', () => {
        // An answer that is sent closes too, whether its connection stays or not.
        if (!coming.ended) response.once('close', release);
        coming.whole();
      })
      .on('error', () => coming.cut(endedEarly()))
      .on('close', () => {
        if (!coming.ended) coming.cut(endedEarly());
      });
  }

  /** Cuts the bodies that make no progress. To be called about once a second (BR2). */
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

function tooMany(): UnreadBody {
  return new UnreadBody('busy', 'the bodies of other requests fill the memory that is set aside for them');
}

function endedEarly(): FrontProblem {
  return new FrontProblem('bad-request', 'the connection ended before the body did');
}

function sizeOf(bytes: number): string {
  return bytes % (1024 * 1024) === 0 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`;
}
