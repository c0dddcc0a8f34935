/** The current time, updated once a second. Components that show an age such as "14 s ago" read it. */
import { signal } from '@preact/signals';

export const nowMs = signal(Date.now());
setInterval(() => {
  nowMs.value = Date.now();
}, 1_000);
