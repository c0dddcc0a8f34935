import { expect, it } from 'vitest';
import { type Clock, PacedWork } from '../../streams/clock.ts';

/** Time that passes only when it is moved. */
class ManualClock implements Clock {
  ms = 0;
  #timers: { at: number; call: () => void }[] = [];
  nowMs = () => this.ms;
  monoMs = () => this.ms;
  turn = (call: () => void) => call();
  after(ms: number, call: () => void): () => void {
    const timer = { at: this.ms + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }
  async pass(ms: number): Promise<void> {
    this.ms += ms;
    const due = this.#timers.filter(({ at }) => at <= this.ms);
    this.#timers = this.#timers.filter(({ at }) => at > this.ms);
    for (const { call } of due) call();
    await settled();
  }
}
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Work that takes 10 ms and counts its runs. */
function countedWork() {
  const clock = new ManualClock();
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const work = new PacedWork(clock, async () => {
    began.push(clock.ms);
    await new Promise<void>((resolve) => ends.push(resolve));
    return began.length;
  });
  const end = async () => {
    await clock.pass(10);
    ends.shift()?.();
    await settled();
  };
  return { clock, began, work, end };
}

it('answers everyone who asked before it began with one run, and a later question with a later run', async () => {
  const { clock, began, work, end } = countedWork();
  const first = [work.result(), work.result()];
  await settled();
  const later = [work.result(), work.result()];
  await end();
  expect(await Promise.all(first)).toEqual([1, 1]);
  expect(began).toEqual([0]);
  await clock.pass(89);
  expect(began).toEqual([0]);
  await clock.pass(1);
  expect(began).toEqual([0, 100]);
  await end();
  expect(await Promise.all(later)).toEqual([2, 2]);
});

it('does not let a lone question wait', async () => {
  const { clock, began, work, end } = countedWork();
  const first = work.result();
  await settled();
  await end();
  await first;
  await clock.pass(5_000);
  const second = work.result();
  await settled();
  expect(began).toEqual([0, 5_010]);
  await end();
  expect(await second).toBe(2);
});

it('rejects as the work does, and goes on', async () => {
  const clock = new ManualClock();
  let runs = 0;
  const work = new PacedWork(clock, async () => {
    runs += 1;
    if (runs === 1) throw new Error('not now');
    return runs;
  });
  await expect(work.result()).rejects.toThrow('not now');
  const next = work.result();
  await clock.pass(0);
  expect(await next).toBe(2);
});
