/** The commands `atp`, `stock` and `explain`. They show what may be promised, what is in stock, and why. */

import { type Command, InvalidArgumentError } from 'commander';
import { LIMITS } from '../../../config/limits.ts';
import { BUCKETS, bucketRow } from '../../../streams/buckets.ts';
import type { Explanation } from '../../../streams/contract/operator.ts';
import {
  type AtpAnswer,
  atpRequest,
  type SkuStockAnswer,
  type StockAnswer,
  stockRequest,
} from '../../../streams/contract/stock.ts';
import { type Asked, type Client, path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import type { CliRun } from '../support/io.ts';
import { table } from '../support/table.ts';
import { checkTyped } from '../support/typed.ts';
import { explainTable } from './explain-table.ts';

interface AtpOptions extends DeskOptions {
  readonly location?: readonly string[];
  readonly channel?: string;
  readonly by?: string;
}

interface ExplainOptions extends DeskOptions {
  readonly last: number;
  readonly all?: boolean;
}

/** Steps of an explanation that are shown by default. */
const SHOWN_STEPS = 100;

export function addStockCommands(program: Command, run: CliRun): void {
  deskCommand(program, 'atp', 'what may be promised')
    .argument('<sku...>', 'SKUs')
    .option('--location <id>', 'only there; may be repeated', (id: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      id,
    ])
    .option('--channel <name>', 'for that channel, such as web')
    .option('--by <date>', 'with what is on its way by then, such as 2026-12-01')
    .action(async (skus: string[], options: AtpOptions) => {
      const { location, channel, by } = options;
      const body = { lines: skus.map((sku) => ({ sku, locations: location })), channel, by };
      checkTyped(atpRequest, body);
      await askDesk<AtpAnswer>(run, options, (client) => client.ask('POST', '/v1/atp', body), atpTable);
    });
  deskCommand(program, 'stock', 'what is there, held and on its way')
    .argument('<sku>', 'the SKU')
    .argument('[location]', 'only there')
    .action(async (sku: string, location: string | undefined, options: DeskOptions) => {
      checkTyped(stockRequest, { sku, location });
      if (location === undefined) {
        const ask = path('v1', 'stock', sku);
        await askDesk<SkuStockAnswer>(
          run,
          options,
          (client) => client.ask('GET', ask),
          ({ locations }) => stockTable(locations),
        );
      } else {
        const ask = path('v1', 'stock', sku, location);
        await askDesk<StockAnswer>(
          run,
          options,
          (client) => client.ask('GET', ask),
          (stock) => stockTable([stock]),
        );
      }
    });
  deskCommand(program, 'explain', 'the facts and reservations behind a number')
    .argument('<sku>', 'the SKU')
    .argument('<location>', 'the location')
    .option('--last <n>', 'only so many steps, the newest', wholeNumber, SHOWN_STEPS)
    .option('--all', 'every step')
    .action(async (sku: string, location: string, options: ExplainOptions) => {
      checkTyped(stockRequest, { sku, location });
      const ask = path('v1', 'explain', sku, location);
      const most = options.all === true ? Number.POSITIVE_INFINITY : options.last;
      await askDesk<Explanation>(run, options, (client) => explained(client, ask, most), explainTable);
    });
}

/** Reads pages, newest first, until it has `most` steps or there are no more. */
async function explained(client: Client, ask: string, most: number): Promise<Asked<Explanation>> {
  const page = (left: number, cursor?: string) => {
    const query = new URLSearchParams({ limit: String(Math.min(left, LIMITS.explainSteps)) });
    if (cursor !== undefined) query.set('cursor', cursor);
    return client.ask<Explanation>('GET', `${ask}?${query}`);
  };
  const first = await page(most);
  if (!first.ok) return first;
  const pages = [first.body.steps];
  let [left, next] = [most - first.body.steps.length, first.body.next];
  while (next !== null && left > 0) {
    const older = await page(left, next);
    if (!older.ok) return older;
    pages.push(older.body.steps);
    left -= older.body.steps.length;
    next = older.body.next;
  }
  return { ok: true, body: { ...first.body, steps: pages.reverse().flat(), next } };
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}

function atpTable({ asOf, lines }: AtpAnswer): string {
  const rows = lines.flatMap(({ sku, atp, locations }): (string | number)[][] => {
    if (locations.length === 0) return [[sku, 'nothing is known of it', atp]];
    const each = locations.map(({ location, atp: units }) => ['', location, units]);
    return [[sku, locations.length === 1 ? '1 location' : `${locations.length} locations`, atp], ...each];
  });
  return `${table([{ title: 'SKU' }, { title: 'LOCATION' }, { title: 'ATP', align: 'right' }], rows)}as of ${asOf}\n`;
}

function stockTable(stocks: readonly StockAnswer[]): string {
  const columns = [
    { title: 'SKU' },
    { title: 'LOCATION' },
    ...BUCKETS.map((bucket) => ({ title: bucketRow(bucket).label.toUpperCase(), align: 'right' as const })),
  ];
  return table(
    columns,
    stocks.map((stock) => [stock.sku, stock.location, ...BUCKETS.map((bucket) => stock[bucket])]),
  );
}
