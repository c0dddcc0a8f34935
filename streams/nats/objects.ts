/**
 * Large values in a JetStream object store: the one file that imports its client.
 *
 * Invariants:
 *  OB1 What is read has the digest that was stored with it, or reading rejects: never a part, never something else.
 *  OB2 A read ends: chunks that are gone make the client wait for ever, so silence is a failure here.
 */
import { Objm } from '@nats-io/obj';

type JetStream = ConstructorParameters<typeof Objm>[0];
type Store = Awaited<ReturnType<Objm['create']>>;

/** How long a read may wait for its next piece (OB2). */
const SILENCE_MS = 10_000;

/** Of an object so much is one message, or less where the server takes less. */
const CHUNK_BYTES = 128 * 1024;

export class Objects {
  readonly #store: Store;

  readonly #chunkBytes: number;

  private constructor(store: Store, chunkBytes: number) {
    this.#store = store;
    this.#chunkBytes = chunkBytes;
  }

  /** Opens a bucket, made with so many copies if it is missing. @param room bytes of data that one message may carry */
  static async open(js: JetStream, bucket: string, replicas: number, room: number): Promise<Objects> {
    return new Objects(await new Objm(js).create(bucket, { replicas }), Math.min(CHUNK_BYTES, room));
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#store.putBlob({ name, options: { max_chunk_size: this.#chunkBytes } }, bytes);
  }

  /** The bytes; undefined if there is no such object. Rejects if it is damaged or its end does not come. */
  async get(name: string): Promise<Buffer | undefined> {
    const found = await this.#store.get(name);
    if (found === null) return undefined;
    const reader = found.data.getReader();
    const pieces: Uint8Array[] = [];
    for (;;) {
      const { done, value } = await inTime(reader.read(), () => void reader.cancel().catch(() => undefined));
      if (done) break;
      pieces.push(value);
    }
    const wrong = await found.error;
    // OB1.
    if (wrong) throw wrong;
    return Buffer.concat(pieces);
  }

  async names(): Promise<string[]> {
    return (await this.#store.list()).map(({ name }) => name);
  }

  async delete(name: string): Promise<void> {
    await this.#store.delete(name);
  }

  /** Ids of the chunks that objects in force refer to: other chunks are what a killed writer left. */
  async chunkIds(): Promise<Set<string>> {
    return new Set((await this.#store.list()).map(({ nuid }) => nuid));
  }
}

/** Its chunks stand on `$O.<bucket>.C.<id>` of this stream. */
export function objectStream(bucket: string): { stream: string; chunks: string } {
  return { stream: `OBJ_${bucket}`, chunks: `$O.${bucket}.C.` };
}

async function inTime<T>(reading: Promise<T>, late: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing of it came for ${SILENCE_MS / 1000} s: its pieces are missing`));
      late();
    }, SILENCE_MS);
  });
  try {
    return await Promise.race([reading, silence]);
  } finally {
    clearTimeout(timer);
  }
}
