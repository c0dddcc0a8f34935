/**
 * Announcements for screen readers: changes of state and results of the reader's actions, never ticking numbers. The newest sentence
 * is in one polite live region (frame.tsx).
 */
import { signal } from '@preact/signals';

export const announcement = signal('');

export function announce(sentence: string): void {
  // A repeated sentence would be no change and would not be read again, so a space at its end makes it one.
  announcement.value = announcement.value === sentence ? `${sentence}\u00a0` : sentence;
}
