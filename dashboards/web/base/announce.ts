/**
 * What a screen reader is told: changes of state and results of what the reader did, never ticking numbers. The newest sentence stands
 * in one polite live region (frame.tsx).
 */
import { signal } from '@preact/signals';

export const announcement = signal('');

export function announce(sentence: string): void {
  // The same sentence twice would be no change, and be read once; a blank at its end makes it one.
  announcement.value = announcement.value === sentence ? `${sentence}\u00a0` : sentence;
}
