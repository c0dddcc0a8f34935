/**
 * Messages between nodes, as any client of the same NATS hears them, and changes that an attacker makes to them. They have the format of
 * this version of the program, so they pass the first checks.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Packr } from 'msgpackr';
import { type Ground, pickOf } from '../attack.ts';

const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const LISTEN_MS = 1_500;
const MOST = 200;

export interface Overheard {
  readonly subject: string;
  readonly value: unknown;
}

export async function overhear(ground: Ground, subject: string): Promise<Overheard[]> {
  const heard: Overheard[] = [];
  const subscription = ground.nats.subscribe(subject, {
    callback: (error, message) => {
      if (error !== null || heard.length >= MOST || message.data.length > 100_000) return;
      try {
        const value = packr.unpack(message.data) as unknown;
        if (typeof value === 'object' && value !== null) heard.push({ subject: message.subject, value });
      } catch {
        // A message of another attacker.
      }
    },
  });
  await delay(LISTEN_MS);
  subscription.unsubscribe();
  return heard;
}

export const pack = (value: unknown): Uint8Array => packr.pack(value);

/** Returns a copy in which `tell` has replaced every string, by its key. */
export function retold(value: unknown, tell: (text: string, key: string) => string, key = ''): unknown {
  if (typeof value === 'string') return tell(value, key);
  if (Array.isArray(value)) return value.map((each) => retold(each, tell, key));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, retold(each, tell, name)]));
}

const WRONG: readonly unknown[] = [
  null,
  -1,
  0,
  1.5,
  9e15,
  Number.NaN,
  '',
  'x',
  [],
  {},
  [[]],
  true,
  'x'.repeat(10_000),
  Array(3_000).fill(0),
];

/** Returns a copy in which one value or a whole branch is replaced or removed. */
export function bent(ground: Ground, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ground.random() < 0.15) return pickOf(ground, WRONG);
  if (Array.isArray(value)) {
    const copy = [...value] as unknown[];
    const at = Math.floor(ground.random() * copy.length);
    if (copy.length > 0) copy[at] = bent(ground, copy[at]);
    return copy;
  }
  const copy = { ...value } as Record<string, unknown>;
  const name = pickOf(ground, Object.keys(copy));
  if (name === undefined) return copy;
  if (ground.random() < 0.1) delete copy[name];
  else copy[name] = bent(ground, copy[name]);
  return copy;
}
