/** Parses a reservation line as typed on the command line: `SKU=QTY[@LOC,LOC…][:split]`. */
import { InvalidArgumentError } from 'commander';

export interface TypedLine {
  readonly sku: string;
  readonly qty: number;
  readonly locations?: readonly string[];
  readonly split?: true;
}

export const LINE_FORM = 'SKU=QTY[@LOC,LOC][:split]';

/** The SKU ends at the first `=` that is followed by a number, so a SKU may contain `=`. */
const FORM = /^(.+?)=(\d{1,10})(?:@(.+?))?(:split)?$/su;

export function parseLine(text: string): TypedLine {
  const match = FORM.exec(text);
  const [, sku, qty, locations, split] = match ?? [];
  if (sku === undefined || qty === undefined)
    throw new InvalidArgumentError(`It must be ${LINE_FORM}, such as 85123A=2@store-12,dc-1.`);
  return {
    sku,
    qty: Number(qty),
    ...(locations === undefined ? {} : { locations: locations.split(',') }),
    ...(split === undefined ? {} : { split: true as const }),
  };
}
