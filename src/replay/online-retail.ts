/**
 * The format `online-retail`: invoice lines of the UCI data set as facts. Pure: no file, no clock.
 *
 *  OR1 The first rule that fits a row decides: no stock (skipped), return, adjustment, sale.
 *  OR2 The id is `InvoiceNo:N`, where N is the row's number within its invoice in this file, whatever becomes of the
 *     row. So two rows that are equal in every column are two facts, and the same file always gives the same ids.
 *  OR3 A row that cannot be a fact (a quantity of 0, no date) is refused with its number. It is never dropped and never
 *     altered.
 */
import { parseFact } from '../../streams/fact/fact.ts';
import { parseInstant } from '../../streams/instant.ts';
import type { Entry, SentFact } from './entry.ts';

const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
] as const;
type Column = (typeof COLUMNS)[number];

const NO_STOCK = new Set(['POST', 'DOT', 'M', 'D', 'S', 'C2', 'B', 'CRUK', 'BANK CHARGES', 'AMAZONFEE']);
const VOUCHER = /^GIFT_/;
const WHOLE = /^[+-]?\d{1,15}(?:\.0+)?$/;
const ZERO = /^[+-]?(?:0+\.?0*|\.0+)$/;
const STAMP = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::(\d{2}))?Z?$/;

export const ONLINE_RETAIL_LOCATION = 'uk-dc';

/** True if a file of this format begins with these characters. */
export function looksLikeOnlineRetail(text: string): boolean {
  return /^"?InvoiceNo"?\s*,/.test(text);
}

export class HeaderError extends Error {
  override readonly name = 'HeaderError';
}

/**
 * Makes the reader of one file.
 * @param header names of the columns; throws a HeaderError that names the missing ones
 * @returns a function that reads the next row; rows must come in file order (OR2)
 */
export function onlineRetailReader(
  header: readonly string[],
  location: string = ONLINE_RETAIL_LOCATION,
): (row: readonly string[], place: number) => Entry {
  const at = columnPlaces(header);
  const rowsOfInvoice = new Map<string, number>();
  return (row, place) => {
    const cell = (column: Column) => row[at[column]] ?? '';
    const invoice = cell('InvoiceNo');
    const line = (rowsOfInvoice.get(invoice) ?? 0) + 1;
    rowsOfInvoice.set(invoice, line);
    if (row.length !== header.length) {
      return refused(place, `has ${row.length} columns where the header has ${header.length}`);
    }
    const sku = cell('StockCode').trim().toUpperCase();
    if (NO_STOCK.has(sku) || VOUCHER.test(sku)) return { kind: 'skipped', place, why: `${sku} is no stock` };
    if (invoice === '') return refused(place, 'InvoiceNo is empty');
    const written = cell('Quantity').trim();
    if (!WHOLE.test(written)) return refused(place, `Quantity is "${written}", but must be a whole number`);
    const occurredAt = utc(cell('InvoiceDate').trim());
    if (occurredAt === undefined) {
      return refused(place, `InvoiceDate is "${cell('InvoiceDate')}", but must be like 2010-12-01 08:26:00`);
    }
    const common = { id: `${invoice}:${line}`, sku, location, occurredAt };
    const fact = decide(common, invoice, Number(written), cell);
    const parsed = parseFact(fact);
    return parsed.ok ? { kind: 'fact', place, fact } : refused(place, parsed.message);
  };
}

interface Common {
  readonly id: string;
  readonly sku: string;
  readonly location: string;
  readonly occurredAt: string;
}

// The order of these rules is what decides (OR1).
function decide(common: Common, invoice: string, quantity: number, cell: (column: Column) => string): SentFact {
  if (invoice.startsWith('C')) {
    return { ...common, type: 'return', qty: Math.abs(quantity), disposition: 'restock' };
  }
  const unitPrice = cell('UnitPrice').trim();
  if (ZERO.test(unitPrice) && cell('CustomerID').trim() === '') {
    return { ...common, type: 'adjustment', delta: quantity, reason: cell('Description').trim() || 'unknown' };
  }
  const sale = { ...common, type: 'sale', qty: quantity, channel: 'web', transaction: invoice };
  return unitPrice === '' ? sale : { ...sale, unitPrice, currency: 'GBP' };
}

function utc(text: string): string | undefined {
  const match = STAMP.exec(text);
  if (match === null) return undefined;
  const instant = `${match[1]}T${match[2]}:${match[3] ?? '00'}Z`;
  return parseInstant(instant) === undefined ? undefined : instant;
}

function columnPlaces(header: readonly string[]): Record<Column, number> {
  const names = header.map((name) => name.trim());
  const missing = COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) {
    throw new HeaderError(
      `the format online-retail needs the columns ${COLUMNS.join(', ')}; missing: ${missing.join(', ')}`,
    );
  }
  return Object.fromEntries(COLUMNS.map((column) => [column, names.indexOf(column)])) as Record<Column, number>;
}

// The row number lets a person find the refused row (OR3).
function refused(place: number, message: string): Entry {
  return { kind: 'refused', place, message };
}
