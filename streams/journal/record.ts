/**
 * Records of the journal. A record is one message on the subject of its writer, which is one start of one node. It carries the decisions of
 * many partitions, so one publish commits them all (group commit).
 *
 * Invariants:
 *  JR1 Records of one writer are dense: n = 1, 2, 3 …, each with the hash of the previous record's bytes.
 *  JR2 A decision holds everything that its fold needs, so replay never decides again.
 *  JR3 The wire form is a MessagePack tuple whose first element is its version; golden files freeze it.
 */
import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { type Decision, type DecisionForm, FENCED } from './decision.ts';
import { STOCK_DECISIONS } from './stock-decisions.ts';

/** One message of the journal. Replay folds its decisions and decides nothing (JR2). */
export interface JournalRecord {
  readonly writer: string;
  readonly n: number;
  /** Hash of the writer's previous record, as hex; '' for the first. */
  readonly before: string;
  readonly decisions: readonly Decision[];
}

/** End of a writer's chain at some moment: its n-th record and that record's hash. */
export interface ChainTip {
  readonly writer: string;
  readonly n: number;
  readonly hash: string;
  /** Sequence of that record in JOURNAL. */
  readonly seq: number;
}

// First element of every record. A new wire form needs a new number (JR3).
const VERSION = 1;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

/** The forms of decisions that this program knows, by kind and by code. */
export class DecisionForms {
  readonly #byKind = new Map<string, DecisionForm>();
  readonly #byCode = new Map<unknown, DecisionForm>();

  /** @throws if two forms share a kind or a code */
  constructor(forms: readonly DecisionForm[]) {
    for (const form of forms) {
      if (this.#byKind.has(form.kind) || this.#byCode.has(form.code))
        throw new Error(`decision ${form.kind} shares its kind or its code ${form.code} with another one`);
      this.#byKind.set(form.kind, form);
      this.#byCode.set(form.code, form);
    }
  }

  tuple(decision: Decision): readonly unknown[] {
    const form = this.#byKind.get(decision.kind);
    if (form === undefined) throw new JournalRecordError(`no form is known of a decision ${decision.kind}`);
    return [form.code, ...form.encode(decision)];
  }

  decision([code, ...fields]: readonly unknown[]): Decision {
    const form = this.#byCode.get(code);
    if (form === undefined) throw new JournalRecordError(`it holds a decision of unknown kind ${String(code)}`);
    return form.decode(fields);
  }
}

/** Forms of all domains, and of fences. A new domain adds its own here. */
const FORMS = new DecisionForms([...STOCK_DECISIONS, FENCED]);

/** The bytes of a record. */
export function encodeRecord(record: JournalRecord, forms = FORMS): Buffer {
  return joinRecord(
    record,
    record.decisions.map((decision) => encodeDecision(decision, forms)),
  );
}

/** The bytes of one decision within a record. */
export function encodeDecision(decision: Decision, forms = FORMS): Buffer {
  return packr.pack(forms.tuple(decision));
}

/** The bytes of a record from encoded decisions, so that the caller knows its size before it is built. */
export function joinRecord(head: Omit<JournalRecord, 'decisions'>, decisions: readonly Uint8Array[]): Buffer {
  // A MessagePack array is its head followed by its elements.
  const start = packr.pack([VERSION, head.writer, head.n, head.before, 0]).subarray(0, -1);
  return Buffer.concat([start, arrayHead(decisions.length), ...decisions]);
}

/** Bytes of a record other than its decisions (writer, number, hash and heads), with a margin. */
export const RECORD_HEAD_BYTES = 256;

function arrayHead(length: number): Buffer {
  if (length < 16) return Buffer.from([0x90 | length]);
  const head = Buffer.from([0xdc, 0, 0]);
  head.writeUInt16BE(length, 1);
  return head;
}

/** Reads a record. Throws a JournalRecordError if the bytes are not a record of a version that this program knows. */
export function decodeRecord(bytes: Uint8Array, forms = FORMS): JournalRecord {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (cause) {
    throw new JournalRecordError('its bytes are no MessagePack', { cause });
  }
  if (!Array.isArray(value) || value[0] !== VERSION) throw new JournalRecordError(`its version is not ${VERSION}`);
  const [, writer, n, before, decisions] = value as [number, string, number, string, (readonly unknown[])[]];
  if (
    typeof writer !== 'string' ||
    !Number.isSafeInteger(n) ||
    typeof before !== 'string' ||
    !Array.isArray(decisions)
  ) {
    throw new JournalRecordError('its fields have the wrong types');
  }
  return { writer, n, before, decisions: decisions.map((tuple) => forms.decision(tuple)) };
}

/** Hash that the next record carries as `before`: the first 16 bytes of the SHA-256, as hex. */
export function recordHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** Bytes that are not a record, with their sequence if it is known. */
export class JournalRecordError extends Error {
  override readonly name = 'JournalRecordError';
  readonly seq: number | undefined;
  constructor(message: string, options: ErrorOptions & { seq?: number } = {}) {
    super(message, options);
    this.seq = options.seq;
  }
}
