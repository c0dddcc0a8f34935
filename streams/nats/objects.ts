/**
 * Large values in a JetStream object store. Only this file imports the client of object stores.
 *
 * Invariants:
 *  OB1 A read returns bytes whose digest is the stored one, or it rejects. It never returns only a part or other bytes.
 *  OB2 Every read ends. The client waits forever for chunks that are gone, so silence counts as a failure here.
 */
import { Objm } from '@nats-io/obj';

type JetStream = ConstructorParameters<typeof Objm>[0];
type Store = Awaited<ReturnType<Objm['create']>>;

/** Longest wait of a read for its next piece (OB2). */
const SILENCE_MS = 10_000;

/** Bytes of an object per message, or fewer if the server takes less. */
const CHUNK_BYTES = 128 * 1024;

export class Objects {
  readonly #store: Store;

  readonly #chunkBytes: number;

  private constructor(store: Store, chunkBytes: number) {
    this.#store = store;
    this.#chunkBytes = chunkBytes;
  }

  /**
   * Opens a bucket, and creates it if it is missing.
   * @param replicas number of copies of a new bucket
   * @param room bytes of data that one message may carry
   */
  static async open(js: JetStream, bucket: string, replicas: number, room: number): Promise<Objects> {
    return new Objects(await new Objm(js).create(bucket, { replicas }), Math.min(CHUNK_BYTES, room));
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#store.putBlob({ name, options: { max_chunk_size: this.#chunkBytes } }, bytes);
  }

  /** The object's bytes; undefined if there is no such object. Rejects if it is damaged or its end does not arrive. */
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
    // The client reports a wrong digest only here, after the last piece (OB1).
    if (wrong) throw wrong;
    return Buffer.concat(pieces);
  }

  async names(): Promise<string[]> {
    return (await this.#store.list()).map(({ name }) => name);
  }

  async delete(name: string): Promise<void> {
    await this.#store.delete(name);
  }

  /** Ids of the chunks that existing objects refer to. Other chunks are left over from a killed writer. */
  async chunkIds(): Promise<Set<string>> {
    return new Set((await this.#store.list()).map(({ nuid }) => nuid));
  }
}

/** The stream of a bucket. An object's chunks are on its subject `$O.<bucket>.C.<id>`. */
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
