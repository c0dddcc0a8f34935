/** Costly work: how much runs at once, how much waits, and how long a place rests. */
import { expect, it } from 'vitest';
import { Turnstile } from '../../../actors/request/turnstile.ts';
import type { Clock } from '../../../streams/clock.ts';

/** A clock that moves only when told to. */
class HandClock implements Clock {
  #now = 0;
  #calls: { at: number; call: () => void }[] = [];

  nowMs = () => this.#now;
  monoMs = () => this.#now;
  turn = (call: () => void) => setImmediate(call);

  after(ms: number, call: () => void): () => void {
    const entry = { at: this.#now + ms, call };
    this.#calls.push(entry);
    return () => {
      this.#calls = this.#calls.filter((each) => each !== entry);
    };
  }

  async move(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#calls.filter(({ at }) => at <= this.#now);
    this.#calls = this.#calls.filter(({ at }) => at > this.#now);
    for (const { call } of due) call();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function started() {
  const clock = new HandClock();
  const turnstile = new Turnstile(clock, { atOnce: 1, waiting: 1, restMs: 100 }, 'tests');
  const begun: string[] = [];
  /** Work that takes this long on the clock. */
  const work = (name: string, ms: number) =>
    turnstile.pass(() => {
      begun.push(name);
      return new Promise<void>((resolve) => clock.after(ms, resolve));
    });
  return { clock, begun, work };
}

it('lets one work, lets one wait, and refuses the third as busy', async () => {
  const { begun, work, clock } = started();
  const [first, second] = [work('first', 10), work('second', 10)];
  await expect(work('third', 10)).rejects.toMatchObject({ kind: 'busy' });
  await clock.move(10);
  await first;
  await clock.move(30);
  await clock.move(10);
  await second;
  expect(begun).toEqual(['first', 'second']);
});

it('rests three times as long as the work took, and answers before it rests', async () => {
  const { begun, work, clock } = started();
  const first = work('first', 10);
  work('second', 10).catch(() => undefined);
  await clock.move(10);
  await first;
  await clock.move(29);
  expect(begun).toEqual(['first']);
  await clock.move(1);
  expect(begun).toEqual(['first', 'second']);
});

it('rests no longer than its bound, and also after work that fails', async () => {
  const { begun, work, clock } = started();
  const long = work('long', 1_000);
  await clock.move(1_000);
  await long;
  work('next', 1).catch(() => undefined);
  await clock.move(99);
  expect(begun).toEqual(['long']);
  await clock.move(1);
  expect(begun).toEqual(['long', 'next']);

  const turnstile = new Turnstile(clock, { atOnce: 1, waiting: 0, restMs: 100 }, 'tests');
  await expect(turnstile.pass(() => Promise.reject(new Error('it fails')))).rejects.toThrow('it fails');
  await clock.move(0);
  expect(await turnstile.pass(async () => 'again')).toBe('again');
});
