/**
 * What people have decided about parked facts, as marks in PARKED. Their order in the stream settles who was first.
 *
 *   mark.again.<seq>.<sha256>.<nonce>   the fact parked at <seq> is submitted again, in bytes with that hash. A correction is in the body
 *   mark.sent.<nonce>                   the messages of the marks that it lists are stored
 *   mark.dismissed.<nonce>              the facts parked at the sequences that it lists are dismissed
 *
 * Invariants:
 *  PD1 A decision names the state that the person saw. It holds only if the fact is still in that state at the mark's place, so of two
 *     people who decide at once, one decides.
 *  PD2 Everything that finishing a resubmission needs is stored before its message: the mark, the bytes, and the end of the fact's stream,
 *     behind which the message stands if it was stored.
 *  PD3 All that a reader needs is in subject and headers, so nobody reads bodies to know the states of many facts.
 */
import type { Broker, StoredMessage } from '../../broker.ts';
import { type SentBody, typeHeaders } from '../sent-body.ts';
import { hashOf } from './park-marks.ts';
import { quoted, unquoted } from './quoted.ts';

/** Who decides, and why, as the person says it. */
export interface Decider {
  readonly by?: string | undefined;
  readonly why?: string | undefined;
}
/** The state in which a person may decide about a fact. */
export type Undecided = 'waiting' | 'dismissed';

const BY_BYTES = 128 * 9;
const WHY_BYTES = 1_000 * 9;
/** Most facts that one mark lists. Their sequences fit into one header. */
export const FACTS_PER_MARK = 256;
const NOTHING = new Uint8Array();

export interface Again {
  /** Sequence of the parked fact. */
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** The fact that takes the place of the parked one. */
  readonly corrected?: SentBody | undefined;
  readonly was: Undecided;
  /** Last sequence of the fact's stream, read before this call (PD2). */
  readonly after: number;
  readonly decider: Decider;
}

/** Records a resubmission, and returns the sequence of its mark. */
export function markAgain(broker: Broker, again: Again, nonce: string): Promise<number> {
  const { seq, bytes, corrected, was, after, decider } = again;
  return broker.publish(`mark.again.${seq}.${hashOf(bytes)}.${nonce}`, corrected?.bytes ?? NOTHING, {
    headers: {
      ...deciderHeaders(decider),
      'Holdfast-Was': was,
      'Holdfast-After': String(after),
      ...(corrected === undefined ? {} : { 'Holdfast-Corrected': 'yes', ...typeHeaders(corrected) }),
    },
  });
}

/** Records that the messages of these marks are stored. @param marks at most FACTS_PER_MARK */
export async function markSent(broker: Broker, marks: readonly number[], nonce: string): Promise<void> {
  await broker.publish(`mark.sent.${nonce}`, NOTHING, { headers: { 'Holdfast-List': listText(marks) } });
}

/** Dismisses waiting facts, and returns the sequence of the mark. @param seqs at most FACTS_PER_MARK */
export function markDismissed(
  broker: Broker,
  seqs: readonly number[],
  decider: Decider,
  nonce: string,
): Promise<number> {
  return broker.publish(`mark.dismissed.${nonce}`, NOTHING, {
    headers: { ...deciderHeaders(decider), 'Holdfast-List': listText(seqs) },
  });
}

/** A decision as it is read, without the body of its mark (PD3). `finished` is true for a mark of an earlier version, which says nothing about its message. */
export type ParkDecision =
  | {
      readonly kind: 'again';
      readonly seq: number;
      readonly hash: string;
      readonly nonce: string;
      readonly was: Undecided;
      readonly after: number;
      readonly corrected: boolean;
      readonly finished: boolean;
      readonly decider: Decider;
    }
  | { readonly kind: 'sent'; readonly marks: readonly number[] }
  | { readonly kind: 'dismissed'; readonly seqs: readonly number[]; readonly decider: Decider };

/** Undefined for any other message of PARKED. */
export function parkDecision(message: StoredMessage): ParkDecision | undefined {
  const [mark, kind, ...rest] = message.subject.split('.');
  if (mark !== 'mark') return undefined;
  const decider = deciderIn(message);
  if (kind === 'sent') return { kind, marks: readList(message) };
  if (kind === 'dismissed') return { kind, seqs: readList(message), decider };
  const [seq = '', hash = '', nonce = ''] = rest;
  if (kind !== 'again' || rest.length !== 3 || !/^[1-9]\d{0,15}$/.test(seq)) return undefined;
  const was = message.header('Holdfast-Was');
  return {
    kind,
    seq: Number(seq),
    hash,
    nonce,
    was: was === 'dismissed' ? was : 'waiting',
    after: Number(message.header('Holdfast-After')) || 0,
    corrected: message.header('Holdfast-Corrected') !== undefined,
    finished: was === undefined,
    decider,
  };
}

function deciderHeaders({ by, why }: Decider): Record<string, string> {
  return {
    ...(by === undefined ? {} : { 'Holdfast-By': quoted(by, BY_BYTES) }),
    ...(why === undefined ? {} : { 'Holdfast-Why': quoted(why, WHY_BYTES) }),
  };
}

function deciderIn(message: StoredMessage): Decider {
  const [by, why] = [message.header('Holdfast-By'), message.header('Holdfast-Why')];
  return {
    ...(by === undefined ? {} : { by: unquoted(by) }),
    ...(why === undefined ? {} : { why: unquoted(why) }),
  };
}

function listText(seqs: readonly number[]): string {
  return seqs.join(',');
}

function readList(message: StoredMessage): number[] {
  const list = (message.header('Holdfast-List') ?? '').split(',', FACTS_PER_MARK);
  return list.map(Number).filter((seq) => Number.isSafeInteger(seq) && seq > 0);
}
