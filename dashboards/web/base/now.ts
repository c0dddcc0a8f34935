/** The present, once a second, for ages such as "14 s ago"; what shows an age reads this. */
import { signal } from '@preact/signals';

export const nowMs = signal(Date.now());
setInterval(() => {
  nowMs.value = Date.now();
}, 1_000);
