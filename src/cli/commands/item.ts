/** The commands `item get`, `item set` and `item search`: how SKUs are called. */
import { type Command, InvalidArgumentError } from 'commander';
import {
  type ItemAnswer,
  type ItemsAnswer,
  itemBody,
  itemParams,
  itemsQuery,
} from '../../../streams/contract/items.ts';
import { printable } from '../../../streams/names.ts';
import { path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import type { CliRun } from '../support/io.ts';
import { table } from '../support/table.ts';
import { checkTyped } from '../support/typed.ts';

interface SetOptions extends DeskOptions {
  readonly attribute?: Readonly<Record<string, string>>;
}
interface SearchOptions extends DeskOptions {
  readonly limit: string;
}

export function addItemCommands(program: Command, run: CliRun): void {
  const items = program.command('item').description('how SKUs are called');
  deskCommand(items, 'get', 'the name and attributes of a SKU')
    .argument('<sku>', 'the SKU')
    .action(async (sku: string, options: DeskOptions) => {
      checkTyped(itemParams, { sku });
      await askDesk<ItemAnswer>(run, options, (client) => client.ask('GET', path('v1', 'items', sku)), itemText);
    });
  deskCommand(items, 'set', 'gives a SKU a name; it replaces the name and all attributes')
    .argument('<sku>', 'the SKU')
    .argument('<name>', 'the name')
    .option('--attribute <name=text>', 'an attribute; may be repeated', attribute)
    .action(async (sku: string, name: string, { attribute: attributes, ...options }: SetOptions) => {
      const body = { name, attributes };
      checkTyped(itemParams, { sku });
      checkTyped(itemBody, body);
      await askDesk<ItemAnswer>(run, options, (client) => client.ask('PUT', path('v1', 'items', sku), body), itemText);
    });
  deskCommand(items, 'search', 'items by the beginning of a SKU or words of their names')
    .argument('<text...>', 'the beginning of a SKU, or beginnings of words')
    .option('--limit <n>', 'at most so many', '50')
    .action(async (words: string[], { limit, ...options }: SearchOptions) => {
      const query = { q: words.join(' '), limit };
      checkTyped(itemsQuery, query);
      const ask = `/v1/items?${new URLSearchParams(query)}`;
      await askDesk<ItemsAnswer>(run, options, (client) => client.ask('GET', ask), itemsTable);
    });
}

function attribute(typed: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = typed.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be NAME=TEXT, such as colour=white.');
  return { ...before, [typed.slice(0, at)]: typed.slice(at + 1) };
}

function itemText({ sku, name, attributes, occurredAt }: ItemAnswer): string {
  const lines = Object.entries(attributes).map(([each, text]) => `  ${printable(each)}: ${printable(text)}\n`);
  return `${printable(sku)}: ${printable(name)} (since ${occurredAt})\n${lines.join('')}`;
}

function itemsTable({ items, next }: ItemsAnswer): string {
  if (items.length === 0) return 'No item fits.\n';
  const rows = items.map(({ sku, name }) => [sku, name]);
  const more = next === null ? '' : 'There are more: narrow the search, or raise --limit.\n';
  return `${table([{ title: 'SKU' }, { title: 'NAME' }], rows)}${more}`;
}
