/** What the buckets of policies and locations hold: a record for each change, and the keys under which they are. */
import type { LocationAnswer } from '../../streams/contract/promise/location.ts';
import { decodeToken, encodeToken } from '../../streams/subjects.ts';
import type { PolicyFields } from '../policy/levels.ts';

/** A change, made by a person or a program. The names are in the record too, so that nobody has to decode its key. */
interface Change<T> {
  /** What is set from now on; null if it is removed. */
  readonly set: T | null;
  readonly by?: string | undefined;
  readonly why?: string | undefined;
  /** ISO 8601. */
  readonly at: string;
}
export type LocationFields = Omit<LocationAnswer, 'id'>;
export interface PolicyRecord extends Change<PolicyFields> {
  readonly sku: string;
  readonly location: string;
}
export interface LocationRecord extends Change<LocationFields> {
  readonly id: string;
}

/** A key of NATS KV takes no `%`, and an encoded token has no `=`. */
function keyToken(name: string): string {
  return encodeToken(name).replaceAll('%', '=');
}

export function policyKey(sku: string, location: string): string {
  return `${keyToken(sku)}.${keyToken(location)}`;
}

export function locationKey(id: string): string {
  return keyToken(id);
}

/** The names in a key. */
export function namesIn(key: string): string[] {
  return key.split('.').map((token) => decodeToken(token.replaceAll('=', '%')) ?? '');
}
