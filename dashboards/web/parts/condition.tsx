/** Placeholders for a view that is loading, is empty, or got no answer. */
import type { ComponentChildren } from 'preact';
import type { RequestRefused } from '../data/requests.ts';
import { Icon, type IconName } from './icon.tsx';

export function Loading({ what }: { readonly what: string }) {
  return (
    <div class="condition loading" aria-busy="true">
      <span class="pulse" aria-hidden="true" />
      Reading {what}…
    </div>
  );
}

export function Empty({ icon = 'good', children }: { readonly icon?: IconName; readonly children: ComponentChildren }) {
  return (
    <div class="condition">
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  );
}

export function Failed({
  failed,
  what,
  again,
}: {
  readonly failed: RequestRefused;
  readonly what: string;
  readonly again: () => void;
}) {
  return (
    <div class="condition failed">
      <Icon name="critical" />
      <div>
        No {what}: {failed.message}.{' '}
        <button type="button" class="plain" onClick={again}>
          Ask again
        </button>
      </div>
    </div>
  );
}
