/** The commands `reserve`, `confirm` and `release`, for reservations made by hand. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  PURPOSES,
  type ReservationAnswer,
  reservationRequest,
  reservationStep,
} from '../../../streams/contract/stock.ts';
import { path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import type { CliRun } from '../support/io.ts';
import { LINE_FORM, parseLine, type TypedLine } from '../support/line-option.ts';
import { table } from '../support/table.ts';
import { checkTyped } from '../support/typed.ts';

interface ReserveOptions extends DeskOptions {
  readonly id: string;
  readonly line: readonly TypedLine[];
  readonly channel?: string;
  readonly purpose?: string;
  readonly ttl?: number;
  readonly partial?: boolean;
  readonly confirm?: boolean;
}

export function addReservationCommands(program: Command, run: CliRun): void {
  deskCommand(program, 'reserve', 'hold units; the same id again gets the same answer')
    .requiredOption('--id <id>', "the reservation's id, unique for ever")
    .requiredOption(
      `--line <${LINE_FORM}>`,
      'what to hold, from which locations; may be repeated',
      (text: string, before: readonly TypedLine[] | undefined) => [...(before ?? []), parseLine(text)],
    )
    .option('--channel <name>', 'the channel that asks (default web)')
    .addOption(new Option('--purpose <purpose>', 'what it is for (default order)').choices(PURPOSES))
    .option('--ttl <seconds>', 'how long it is held unless it is confirmed (default 900)', seconds)
    .option('--partial', 'take what there is')
    .option('--confirm', 'allocate at once; it does not expire')
    .action(async (options: ReserveOptions) => {
      const { id, line, channel, purpose, ttl, partial, confirm } = options;
      const body = { id, channel, purpose, ttlSeconds: ttl, partial, confirm, lines: line };
      checkTyped(reservationRequest, body);
      await askDesk<ReservationAnswer>(
        run,
        options,
        (client) => client.ask('POST', '/v1/reservations', body),
        reservationText,
      );
    });
  deskCommand(program, 'confirm', 'held becomes allocated and no longer expires')
    .argument('<id>', "the reservation's id")
    .action(async (id: string, options: DeskOptions) => {
      checkTyped(reservationStep, { id });
      const ask = path('v1', 'reservations', id, 'confirm');
      await askDesk<ReservationAnswer>(run, options, (client) => client.ask('POST', ask), reservationText);
    });
  deskCommand(program, 'release', 'give held or allocated units back')
    .argument('<id>', "the reservation's id")
    .action(async (id: string, options: DeskOptions) => {
      checkTyped(reservationStep, { id });
      const ask = path('v1', 'reservations', id);
      await askDesk<ReservationAnswer>(run, options, (client) => client.ask('DELETE', ask), reservationText);
    });
}

function reservationText({ id, status, expiresAt, lines, shortages, known }: ReservationAnswer): string {
  if (known === false) return `${id} was not known; a later placement under it is refused\n`;
  const until = status === 'held' && expiresAt !== null ? ` until ${expiresAt}` : '';
  const head = [{ title: 'SKU' }, { title: 'QTY', align: 'right' as const }, { title: 'LOCATION' }];
  const out = [
    `${id} is ${status}${until}\n`,
    table(
      head,
      lines.map(({ sku, qty, location }) => [sku, qty, location]),
    ),
  ];
  for (const { sku, requested, available } of shortages ?? [])
    out.push(`Short: ${sku}, ${requested} requested, ${available} available\n`);
  return out.join('');
}

function seconds(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(text);
}
