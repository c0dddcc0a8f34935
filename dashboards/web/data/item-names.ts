/**
 * How SKUs are called, for views that show them. The names of one view are asked for together, and a SKU is asked for once.
 */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ask } from './requests.ts';

/** SKUs in one request. */
const AT_ONCE = 100;

const known = signal<ReadonlyMap<string, string>>(new Map());
const asked = new Set<string>();

/** Names by SKU, as far as they are known. More come with the answer. */
export function useItemNames(skus: readonly string[]): ReadonlyMap<string, string> {
  const wanted = skus.filter((sku) => !asked.has(sku)).slice(0, AT_ONCE);
  useEffect(() => {
    const fresh = [...new Set(wanted)].filter((sku) => !asked.has(sku));
    if (fresh.length === 0) return;
    for (const sku of fresh) asked.add(sku);
    const query = new URLSearchParams(fresh.map((sku) => ['sku', sku]));
    ask<{ items: { sku: string; name: string }[] }>(`/v1/items?${query}`).then(
      ({ items }) => {
        known.value = new Map([...known.value, ...items.map(({ sku, name }) => [sku, name] as const)]);
      },
      () => {
        for (const sku of fresh) asked.delete(sku);
      },
    );
  }, [wanted.join('\n')]);
  return known.value;
}
