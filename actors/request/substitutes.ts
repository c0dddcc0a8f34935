/** Adds to a refusal what is there of the SKUs that policies name instead. */
import { LIMITS } from '../../config/limits.ts';
import type { AtpAnswer, AtpRequest, ReservationRequest } from '../../streams/contract/stock.ts';
import { Refusal } from '../ports/refusal.ts';
import type { RefusedShortage } from '../stock/sourcing.ts';

/** @throws the error, with the ATP of the substitutes in its shortages. A substitute whose owner is silent is left out. */
export async function withSubstitutes(
  error: unknown,
  { channel, purpose, lines }: Pick<ReservationRequest, 'channel' | 'purpose' | 'lines'>,
  atp: (request: AtpRequest) => Promise<AtpAnswer>,
): Promise<never> {
  if (!(error instanceof Refusal) || error.shortages === undefined) throw error;
  const names = (shortage: RefusedShortage) => (shortage.substitutes ?? []).map(({ sku }) => sku);
  const skus = [...new Set(error.shortages.flatMap(names))].slice(0, LIMITS.policySubstitutes);
  if (skus.length === 0) throw error;
  const { by } = lines.find(({ sku }) => sku === error.shortages?.[0]?.sku) ?? {};
  // A refusal does not wait for another owner that is silent.
  const found = await atp({ channel, purpose, by, lines: skus.map((sku) => ({ sku })) }).catch(() => undefined);
  const available = new Map(found?.lines.map((line) => [line.sku, line.atp]));
  const shortages = error.shortages.map((shortage) => {
    const substitutes = names(shortage).flatMap((sku) => {
      const units = available.get(sku);
      return units === undefined ? [] : [{ sku, available: units }];
    });
    return shortage.substitutes === undefined ? shortage : { ...shortage, substitutes };
  });
  throw new Refusal(error.kind, error.message, { shortages });
}
