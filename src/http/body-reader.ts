/**
 * Reads the bodies of requests. A limit on each body and a budget for all of them together bound the memory that callers can take.
 *
 * Invariants:
 *  BR1 A body counts with the bytes that have arrived, not with its announced length, until its request is answered. All bodies together
 *      stay within LIMITS.bodiesBytes. A body that exceeds this is refused with 503 at once, and its rest is discarded as it arrives.
 *  BR2 A body that makes too little progress in LIMITS.bodyProgressMs is cut. (The server itself enforces LIMITS.requestReadMs for the
 *      headers and the body together.)
 *  BR3 The bytes of a body are released exactly once, however the body ends.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LIMITS } from '../../config/limits.ts';
import { FrontProblem } from '../error-status.ts';

/** Approximate overhead of a chunk in bytes. It counts too, because a body may arrive byte by byte. */
const CHUNK_BYTES = 256;

/** Thrown for a body that is refused before all of it has arrived. */
export class UnreadBody extends FrontProblem {}

/** A body that is arriving. Its listeners are never removed, because that costs more than keeping them. */
class Incoming {
  bytes = 0;
  chunks: Buffer[] = [];
  ended = false;
  /** Bytes and time at the start of the current progress interval (BR2). */
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

  // Only the first end counts, so the bytes are released once (BR3).
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

  /** Bytes of all bodies in memory, including the overhead of their chunks (BR1). */
  get held(): number {
    return this.#held;
  }

  /**
   * Reads one body.
   * @param response the response; its end releases the bytes
   * @param limit largest size of this body, in bytes
   * @param done callback, called once with a FrontProblem or with the whole body
   */
  read(body: IncomingMessage, response: ServerResponse, limit: number, done: Read): void {
    if (Number(body.headers['content-length']) > limit) {
      done(tooLarge(limit), NOTHING);
      return;
    }
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
        // A response also emits 'close' after it is sent, even if its connection stays open.
        if (!coming.ended) response.once('close', release);
        coming.whole();
      })
      .on('error', () => coming.cut(endedEarly()))
      .on('close', () => {
        if (!coming.ended) coming.cut(endedEarly());
      });
  }

  /** Cuts bodies that make too little progress (BR2). Call it about once a second. */
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
