/**
 * The format `online-retail`: invoice lines of the UCI data set as facts. Pure: no file, no clock.
 *
 *  OR1 The first rule that fits a row decides: no stock (skipped), return, adjustment, sale.
 *  OR2 The id is `InvoiceNo:N`, where N is the row's number within its invoice in this file, whatever becomes of the
 *     row. So two rows that are equal in every column are two facts, and the same file always gives the same ids.
 *  OR3 A row that cannot be a fact (a quantity of 0, no date) is refused with its number. It is never dropped and never
 *     altered. The header itself may come again, as it does in files that were joined.
 */
import { parseFact } from '../../../streams/fact/fact.ts';
import type { Entry, SentFact } from '../entry.ts';
import { isoDate, type ReadDate } from './date-format.ts';
import { columnPlaces } from './table.ts';

export const COLUMNS = [
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
const PRICE = /^-?\d{1,15}(?:\.\d{1,9})?$/;

export const ONLINE_RETAIL_LOCATION = 'uk-dc';

export interface RetailOptions {
  readonly location?: string | undefined;
  /** The form of InvoiceDate; ISO 8601 in UTC if it is not given. */
  readonly date?: ReadDate | undefined;
  /** Called with the description of each sale. */
  readonly described?: ((sku: string, description: string) => void) | undefined;
  /** Called with what a person should know about the file. */
  readonly note?: ((text: string) => void) | undefined;
}

/**
 * Makes the reader of one file.
 * @param header names of the columns; throws a FileFault that shows them beside the expected ones if they differ
 * @returns a function that reads the next row; rows must come in file order (OR2)
 */
export function onlineRetailReader(
  header: readonly string[],
  { location = ONLINE_RETAIL_LOCATION, date = isoDate, note, described }: RetailOptions = {},
): (row: readonly string[], place: number) => Entry {
  const at = columnPlaces(header, COLUMNS);
  const rowsOfInvoice = new Map<string, number>();
  let invoiceBefore: string | undefined;
  let together = true;
  return (row, place) => {
    const cell = (column: Column) => row[at[column]] ?? '';
    if (cell('InvoiceNo').trim() === 'InvoiceNo' && row.every((each, i) => each.trim() === header[i]?.trim()))
      return { kind: 'skipped', place, why: 'the header again' };
    const invoice = cell('InvoiceNo');
    const line = (rowsOfInvoice.get(invoice) ?? 0) + 1;
    rowsOfInvoice.set(invoice, line);
    if (together && line > 1 && invoice !== invoiceBefore) {
      together = false;
      note?.(
        `has rows of one invoice that are not together, from row ${place} on. Ids number the rows of an invoice in the order of the file, so a file that was sorted again has other ids`,
      );
    }
    invoiceBefore = invoice;
    if (row.length !== header.length) {
      return refused(place, `has ${row.length} columns where the header has ${header.length}`);
    }
    const sku = cell('StockCode').trim().toUpperCase();
    if (NO_STOCK.has(sku) || VOUCHER.test(sku)) return { kind: 'skipped', place, why: `${sku} is no stock` };
    if (invoice === '') return refused(place, 'InvoiceNo is empty');
    const written = cell('Quantity').trim();
    if (!WHOLE.test(written)) return refused(place, `Quantity is "${written}", but must be a whole number`);
    if (sku === '') return refused(place, 'StockCode is empty');
    const occurredAt = date(cell('InvoiceDate').trim());
    if (occurredAt === undefined) return refused(place, wrongDate(cell('InvoiceDate').trim(), date));
    const price = cell('UnitPrice').trim();
    if (price !== '' && !PRICE.test(price))
      return refused(place, `UnitPrice is "${price}", but must be a number such as 2.55`);
    const common = { id: `${invoice}:${line}`, sku, location, occurredAt };
    const fact = decide(common, invoice, Number(written), cell);
    const parsed = parseFact(fact);
    if (fact.type === 'sale') described?.(sku, cell('Description').trim());
    return parsed.ok ? { kind: 'fact', place, fact } : refused(place, parsed.message);
  };
}

function wrongDate(written: string, date: ReadDate): string {
  if (date !== isoDate) return `InvoiceDate is "${written}", which is not as --date-format says`;
  return `InvoiceDate is "${written}", but must be like 2010-12-01 08:26:00. Give another form with --date-format`;
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

// The row number lets a person find the refused row (OR3).
function refused(place: number, message: string): Entry {
  return { kind: 'refused', place, message };
}
