/** Whether a stored fact was submitted again by a person: then the horizon does not hold for it. */
import type { FactStream } from '../config/topology.ts';
import type { StoredMessage } from '../streams/broker.ts';
import type { ParkMarks } from '../streams/park-marks.ts';
import { RESUBMIT_HEADER } from '../streams/parked.ts';
import type { StoredFact } from '../streams/subjects.ts';

export interface ResubmissionRules {
  readonly marks: ParkMarks;
  /** Whether a message is judged by the rules of version 0.1, under which its sender's own header was believed. */
  readonly honoursHeader: (stream: FactStream, seq: number) => boolean;
}

/** Decided by the rules entry of the sequence: version 1 believes the header, later ones do not. */
export function honoursHeader(_stream: FactStream, _seq: number): boolean {
  return true;
}

/** Decided by the newest rules entry: a node of version 0.1 may live as long as that is one of version 1. */
export function resubmitsByHeader(): boolean {
  return false;
}

/** A message on a subject of resubmissions needs its mark (MK2); on any other, only 0.1's header can say so. */
export function isResubmitted(
  { marks, honoursHeader: honours }: ResubmissionRules,
  stream: FactStream,
  message: StoredMessage,
  { again }: Pick<StoredFact, 'again'>,
): boolean {
  if (again) return marks.allows(message);
  return honours(stream, message.seq) && message.header(RESUBMIT_HEADER) !== undefined;
}
