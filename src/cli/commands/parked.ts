/** The commands `parked list`, `parked show` and `parked resubmit`, for facts that could not be counted. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type { ParkedFact } from '../../../actors/ports/ports.ts';
import { decodeBody, JSON_TYPE } from '../../../streams/codec.ts';
import type { ParkedAnswer } from '../../../streams/contract/operator.ts';
import { path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import { type CliRun, UsageError } from '../support/io.ts';
import { table } from '../support/table.ts';

interface ListOptions extends DeskOptions {
  readonly after?: number;
  readonly limit?: number;
}

export function addParkedCommands(program: Command, run: CliRun): void {
  const parked = program.command('parked').description('facts that could not be counted');
  deskCommand(parked, 'list', 'list them, oldest first', true)
    .option('--after <seq>', 'only those after this sequence', whole)
    .option('--limit <n>', 'at most so many (default 100)', whole)
    .action(async (options: ListOptions) => {
      const query = new URLSearchParams();
      if (options.after !== undefined) query.set('after', String(options.after));
      if (options.limit !== undefined) query.set('limit', String(options.limit));
      const ask = `/v1/parked?${query.toString()}`;
      await askDesk<ParkedAnswer>(run, options, (client) => client.ask('GET', ask), parkedTable);
    });
  deskCommand(parked, 'show', 'show one with all its bytes')
    .argument('<seq>', 'its sequence, as `parked list` shows it', whole)
    .action(async (seq: number, options: DeskOptions) => {
      const ask = path('v1', 'parked', String(seq));
      await askDesk<ParkedFact>(run, options, (client) => client.ask('GET', ask), parkedText);
    });
  deskCommand(parked, 'resubmit', 'submit one again, as it is or corrected')
    .argument('<seq>', 'its sequence, as `parked list` shows it', whole)
    .option('--corrected <file>', 'a JSON file with the fact that takes its place')
    .action(async (seq: number, options: DeskOptions & { readonly corrected?: string }) => {
      const ask = path('v1', 'parked', String(seq), 'resubmit');
      const body = options.corrected === undefined ? undefined : readFact(options.corrected);
      await askDesk<{ seq: number }>(
        run,
        options,
        (client) => client.ask('POST', ask, body),
        () => `${seq} is submitted again\n`,
      );
    });
}

function parkedTable({ parked, next }: ParkedAnswer): string {
  if (parked.length === 0) return 'Nothing is parked.\n';
  const head = [
    { title: 'SEQ', align: 'right' as const },
    { title: 'PARKED AT' },
    { title: 'REASON' },
    { title: 'FROM' },
    { title: 'MESSAGE' },
  ];
  const rows = parked.map(({ seq, parkedAt, reason, source, message }) => [seq, parkedAt, reason, source, message]);
  return table(head, rows) + (next === null ? '' : `More: holdfast parked list --after ${next}\n`);
}

function parkedText({ seq, parkedAt, reason, source, message, contentType, bytes, length, cut }: ParkedFact): string {
  const raw = Buffer.from(bytes, 'base64');
  const [text, form] = contentType === JSON_TYPE ? [raw.toString('utf8'), 'text'] : [bytes, 'base64'];
  const rows: [string, string][] = [
    ['seq', String(seq)],
    ['parked at', parkedAt],
    ['reason', reason],
    ['from', source],
    ['message', message],
    ['type', contentType],
    ['bytes', cut ? `${length}, of which ${raw.length} are left` : String(length)],
    [form, text],
  ];
  return table([{ title: 'FIELD' }, { title: 'VALUE' }], rows);
}

function readFact(file: string): unknown {
  try {
    return decodeBody(readFileSync(file), JSON_TYPE);
  } catch (error) {
    throw new UsageError(`${file} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
