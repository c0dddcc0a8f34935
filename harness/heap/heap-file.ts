/**
 * Reads a V8 heap snapshot of any size. The file is one JSON object, and its text may be longer than a string can be.
 *
 * Invariant HF1: lists of numbers go from bytes directly into typed arrays. They are never turned into text.
 */
import { createReadStream } from 'node:fs';

export interface HeapFile {
  readonly nodes: number;
  /** Indexed by node. */
  readonly type: Uint8Array;
  readonly name: Uint32Array;
  readonly bytes: Uint32Array;
  /** First edge of each node, and one more entry for the end. */
  readonly firstEdge: Uint32Array;
  /** Target node of each edge. */
  readonly target: Uint32Array;
  readonly isWeak: Uint8Array;
  readonly typeNames: readonly string[];
  readonly strings: readonly string[];
}

interface Meta {
  readonly node_fields: readonly string[];
  readonly node_types: readonly [readonly string[]];
  readonly edge_fields: readonly string[];
  readonly edge_types: readonly [readonly string[]];
}
interface Head {
  readonly meta: Meta;
  readonly node_count: number;
  readonly edge_count: number;
}

const [DIGIT_0, DIGIT_9, COMMA, CLOSE, QUOTE, BACKSLASH] = [0x30, 0x39, 0x2c, 0x5d, 0x22, 0x5c];

export async function readHeapFile(path: string): Promise<HeapFile> {
  const source = new Source(path);
  const head = JSON.parse(await source.textUntil(',\n"nodes":[', '{"snapshot":')) as Head;
  const { meta, node_count: nodes, edge_count: edges } = head;
  const type = new Uint8Array(nodes);
  const [name, bytes, firstEdge] = [new Uint32Array(nodes), new Uint32Array(nodes), new Uint32Array(nodes + 1)];
  const at = (field: string) => meta.node_fields.indexOf(field);
  const [typeAt, nameAt, bytesAt, edgesAt] = [at('type'), at('name'), at('self_size'), at('edge_count')];
  await source.rows(meta.node_fields.length, (row, fields) => {
    type[row] = fields[typeAt] as number;
    name[row] = fields[nameAt] as number;
    bytes[row] = fields[bytesAt] as number;
    firstEdge[row + 1] = (firstEdge[row] as number) + (fields[edgesAt] as number);
  });
  await source.textUntil('"edges":[');
  const target = new Uint32Array(edges);
  const isWeak = new Uint8Array(edges);
  const weak = meta.edge_types[0].indexOf('weak');
  const [edgeTypeAt, toAt] = [meta.edge_fields.indexOf('type'), meta.edge_fields.indexOf('to_node')];
  await source.rows(meta.edge_fields.length, (row, fields) => {
    target[row] = (fields[toAt] as number) / meta.node_fields.length;
    isWeak[row] = fields[edgeTypeAt] === weak ? 1 : 0;
  });
  await source.textUntil('"strings":[');
  const strings = await source.strings();
  return { nodes, type, name, bytes, firstEdge, target, isWeak, typeNames: meta.node_types[0], strings };
}

class Source {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(path: string) {
    this.#chunks = createReadStream(path, { highWaterMark: 1 << 20 })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /**
   * Returns the text before `end`, without `begin` at its front. Reading continues after `end`. Without `begin`, the text may be
   * incomplete.
   */
  async textUntil(end: string, begin = ''): Promise<string> {
    const parts: Buffer[] = [];
    for (;;) {
      parts.push(this.#chunk.subarray(this.#at));
      const all = Buffer.concat(parts);
      const found = all.indexOf(end);
      if (found >= 0) {
        this.#chunk = all;
        this.#at = found + end.length;
        return all.toString('utf8', begin.length, found);
      }
      // Unless the text is wanted, keep only the bytes that may hold the beginning of `end`.
      parts.length = 0;
      parts.push(begin === '' ? all.subarray(-end.length) : all);
      this.#at = 0;
      if (!(await this.#next())) throw new Error(`the heap snapshot has no ${end}`);
    }
  }

  /** Reads rows of `width` numbers to the end of the list (HF1). */
  async rows(width: number, row: (index: number, fields: readonly number[]) => void): Promise<void> {
    const fields: number[] = Array(width).fill(0);
    let [field, value, index] = [0, 0, 0];
    const isIn = { number: false };
    const put = () => {
      fields[field++] = value;
      [value, isIn.number] = [0, false];
      if (field < width) return;
      row(index++, fields);
      field = 0;
    };
    for (;;) {
      for (; this.#at < this.#chunk.length; this.#at++) {
        const byte = this.#chunk[this.#at] as number;
        if (byte >= DIGIT_0 && byte <= DIGIT_9) {
          value = value * 10 + byte - DIGIT_0;
          isIn.number = true;
        } else if (byte === COMMA) {
          if (isIn.number) put();
        } else if (byte === CLOSE) {
          if (isIn.number) put();
          return;
        }
      }
      if (!(await this.#next())) throw new Error('the heap snapshot ends within a list');
    }
  }

  /** Reads every string to the end of the list. */
  async strings(): Promise<string[]> {
    const found: string[] = [];
    let parts: Buffer[] = [];
    let [within, escaped] = [false, false];
    for (;;) {
      let from = this.#at;
      for (; this.#at < this.#chunk.length; this.#at++) {
        const byte = this.#chunk[this.#at] as number;
        if (!within) {
          if (byte === CLOSE) return found;
          if (byte === QUOTE) [within, from] = [true, this.#at];
        } else if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) {
          parts.push(this.#chunk.subarray(from, this.#at + 1));
          found.push(JSON.parse(Buffer.concat(parts).toString('utf8')) as string);
          parts = [];
          within = false;
        }
      }
      if (within) parts.push(this.#chunk.subarray(from));
      if (!(await this.#next())) throw new Error('the heap snapshot ends within its strings');
    }
  }

  async #next(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done === true) return false;
    this.#chunk = value;
    this.#at = 0;
    return true;
  }
}
