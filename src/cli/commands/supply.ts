/** The command `supply`. It shows what is on its way to the locations of a SKU. */
import type { Command } from 'commander';
import { LIMITS } from '../../../config/limits.ts';
import type { SupplyAnswer, SupplyEntry } from '../../../streams/contract/promise/supply.ts';
import { stockRequest } from '../../../streams/contract/stock.ts';
import { type Asked, type Client, path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import type { CliRun } from '../support/io.ts';
import { table } from '../support/table.ts';
import { checkTyped } from '../support/typed.ts';

export function addSupplyCommand(program: Command, run: CliRun): void {
  deskCommand(program, 'supply', 'what is on its way, and when it is due')
    .argument('<sku>', 'the SKU')
    .option('--location <id>', 'only what comes there')
    .action(async (sku: string, options: DeskOptions & { readonly location?: string }) => {
      const { location } = options;
      checkTyped(stockRequest, { sku, location });
      const query = { limit: String(LIMITS.supplyListed), ...(location !== undefined && { location }) };
      const ask = `${path('v1', 'supply', sku)}?${new URLSearchParams(query)}`;
      await askDesk<SupplyAnswer>(run, options, (client) => allPages(client, ask), supplyTable);
    });
}

async function allPages(client: Client, ask: string): Promise<Asked<SupplyAnswer>> {
  const supply: SupplyEntry[] = [];
  let cursor = '';
  for (;;) {
    const page = await client.ask<SupplyAnswer>('GET', ask + cursor);
    if (!page.ok) return page;
    supply.push(...page.body.supply);
    if (page.body.next === null) return { ok: true, body: { supply, next: null } };
    cursor = `&cursor=${page.body.next}`;
  }
}

function supplyTable({ supply }: SupplyAnswer): string {
  if (supply.length === 0) return 'nothing is on its way\n';
  return table(
    [{ title: 'DUE' }, { title: 'UNITS', align: 'right' }, { title: 'TO' }, { title: 'FROM' }, { title: 'BY' }],
    supply.map((each) => [
      `${each.due}${each.overdue ? ' overdue' : ''}`,
      each.qty,
      each.location,
      (each.source === 'purchase' ? each.vendor : each.from) ?? '',
      each.source === 'transfer'
        ? `transfer ${each.transfer}`
        : `purchase order ${each.purchaseOrder}${each.line === undefined ? '' : `, line ${each.line}`}`,
    ]),
  );
}
