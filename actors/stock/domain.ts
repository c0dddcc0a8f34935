/** The stock domain. Facts move units, and decisions claim them. */
import { isStockFact } from '../../streams/fact/fact.ts';
import { STOCK_DECISIONS, type StockDecision } from '../../streams/journal/stock-decisions.ts';
import type { Domain } from '../book/domain.ts';
import { StockBook } from './book.ts';
import { applyDecision, applyFact } from './evolve.ts';
import { audit } from './invariants.ts';
import { RESERVATION_ITEMS } from './items/reservation-items.ts';
import { SKU_ITEM } from './items/sku-items.ts';
import { moveBookBack } from './supply/move-back.ts';

export const STOCK: Domain<StockBook> = {
  name: 'stock',
  open: (partition, pages) => new StockBook(partition, pages),
  clear: (book) => book.clear(),
  evolveFact: (book, fact) => {
    if (isStockFact(fact)) applyFact(book, fact);
  },
  moveBack: moveBookBack,
  decisions: STOCK_DECISIONS.map(({ kind }) => kind),
  evolve: (book, decision) => applyDecision(book, decision as StockDecision),
  // Keys come first, because parts refer to them.
  items: [SKU_ITEM, ...RESERVATION_ITEMS],
  audit,
};
