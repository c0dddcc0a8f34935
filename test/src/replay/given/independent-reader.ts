/**
 * A second reader of the online-retail format, written only from the contract and in a different way. It shares no code with src/replay,
 * loads the whole file, splits cells with a regular expression, and keeps sums instead of facts.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface MonthTable {
  rows: number;
  saleLines: number;
  unitsSold: number;
  returnLines: number;
  unitsReturned: number;
  adjustmentLines: number;
  netAdjusted: number;
  skipped: number;
  skus: number;
  sumOfSellable: number;
}
export interface IndependentReading {
  readonly table: MonthTable;
  readonly sellable: Map<string, number>;
  /** The content of each fact as one string, by id. */
  readonly facts: Map<string, string>;
}

const CELL = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/gy;
const NOT_STOCK = 'POST DOT M D S C2 B CRUK AMAZONFEE'.split(' ').concat('BANK CHARGES');

export function readIndependently(path: string): IndependentReading {
  const lines = cut(gunzipSync(readFileSync(path)).toString('utf8'));
  const heading = lines.shift() ?? [];
  const table: MonthTable = {
    rows: lines.length,
    saleLines: 0,
    unitsSold: 0,
    returnLines: 0,
    unitsReturned: 0,
    adjustmentLines: 0,
    netAdjusted: 0,
    skipped: 0,
    skus: 0,
    sumOfSellable: 0,
  };
  const sellable = new Map<string, number>();
  const facts = new Map<string, string>();
  const seen: Record<string, number> = Object.create(null);
  for (const line of lines) {
    const row = Object.fromEntries(heading.map((title, column) => [title, line[column] ?? '']));
    const { InvoiceNo = '', StockCode = '', Description = '', InvoiceDate = '', UnitPrice = '', CustomerID = '' } = row;
    const n = (seen[InvoiceNo] ?? 0) + 1;
    seen[InvoiceNo] = n;
    const code = StockCode.trim().toUpperCase();
    const quantity = Number.parseInt(row.Quantity ?? '', 10);
    const moment = Date.UTC(
      ...(InvoiceDate.split(/[- :]/).map((part, place) => Number(part) - (place === 1 ? 1 : 0)) as [number, number]),
    );
    let moved: number;
    let says: string;
    if (NOT_STOCK.includes(code) || code.slice(0, 5) === 'GIFT_') {
      table.skipped += 1;
      continue;
    } else if (InvoiceNo[0] === 'C') {
      moved = Math.abs(quantity);
      table.returnLines += 1;
      table.unitsReturned += moved;
      says = `return ${moved} restock`;
    } else if (Number.parseFloat(UnitPrice) === 0 && CustomerID === '') {
      moved = quantity;
      table.adjustmentLines += 1;
      table.netAdjusted += moved;
      says = `adjustment ${moved} ${Description.trim() === '' ? 'unknown' : Description.trim()}`;
    } else {
      moved = -quantity;
      table.saleLines += 1;
      table.unitsSold += quantity;
      says = `sale ${quantity} ${UnitPrice} GBP web ${InvoiceNo}`;
    }
    sellable.set(code, (sellable.get(code) ?? 0) + moved);
    facts.set(`${InvoiceNo}:${n}`, `${code} ${moment} ${says}`);
  }
  table.skus = sellable.size;
  for (const units of sellable.values()) table.sumOfSellable += units;
  return { table, sellable, facts };
}

function cut(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  CELL.lastIndex = 0;
  while (CELL.lastIndex < text.length) {
    const match = CELL.exec(text);
    if (match === null) throw new Error('the file is no CSV');
    line.push(match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'));
    if (match[3] !== ',') {
      lines.push(line);
      line = [];
    }
  }
  return lines;
}
