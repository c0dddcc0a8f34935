/**
 * A table of the stock machine, from facts to the views of all keys. Every row holds for every order of its facts. Figures not named are 0,
 * and onHand, available and atp follow by the contract's formulas.
 */
import { describe, expect, it } from 'vitest';
import { bookOf, type Figures, type Input, order, ordersOf, viewOf, viewsOf } from './given.ts';

/** A place is a location of the SKU mug, or SKU/location. */
type Row = readonly [does: string, inputs: readonly Input[], stands: Readonly<Record<string, Figures>>];

export function table(title: string, rows: readonly Row[]): void {
  describe(title, () => {
    it.each(rows)('%s', (_does, inputs, stands) => {
      const expected = Object.entries(stands)
        .map(
          ([place, figures]) =>
            [...(place.includes('/') ? place.split('/') : ['mug', place]), figures] as [string, string, Figures],
        )
        .sort((a, b) => order(`${a[0]}/${a[1]}`, `${b[0]}/${b[1]}`))
        .map(([sku, location, figures]) => viewOf(sku, location, figures));
      for (const inOrder of ordersOf(inputs)) expect(viewsOf(bookOf(inOrder)), names(inOrder)).toEqual(expected);
    });
  });
}

function names(inputs: readonly Input[]): string {
  return inputs
    .map((input) => ('type' in input ? `${input.type} ${input.id}` : `${input.kind} ${input.id}`))
    .join(', ');
}
