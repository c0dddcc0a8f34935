/** The commands `parked list`, `show`, `resubmit` and `dismiss`, for facts that could not be counted. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { decodeBody, JSON_TYPE } from '../../../streams/codec.ts';
import {
  PARKED_STATES,
  type ParkedAnswer,
  type ParkedFact,
  type ParkedWork,
} from '../../../streams/contract/parked.ts';
import { type Asked, type Client, path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import { type CliRun, UsageError } from '../support/io.ts';
import { table } from '../support/table.ts';

const MOST_LISTED = 1_000;
const FILTERS = ['reason', 'device', 'sku', 'location', 'state'] as const;

type Filters = Partial<Record<(typeof FILTERS)[number], string>>;
interface ListOptions extends DeskOptions, Filters {
  readonly after?: number;
  readonly limit?: number;
}
interface WorkOptions extends DeskOptions, Filters {
  readonly by?: string;
  readonly why?: string;
  readonly corrected?: string;
}

export function addParkedCommands(program: Command, run: CliRun): void {
  const parked = program.command('parked').description('facts that could not be counted');
  filtered(deskCommand(parked, 'list', 'list them, oldest first', true))
    .addOption(
      new Option('--state <state>', 'only those in this state').choices([...PARKED_STATES, 'all']).default('waiting'),
    )
    .option('--after <seq>', 'only those after this sequence', whole(0))
    .option('--limit <n>', 'at most so many (default 100)', whole(1, MOST_LISTED))
    .action(async (options: ListOptions) => {
      const { state, after, limit } = options;
      const query = new URLSearchParams({ ...filtersIn(options), ...(state === 'all' ? {} : { state: state ?? '' }) });
      if (state === 'all') query.delete('state');
      if (after !== undefined) query.set('after', String(after));
      if (limit !== undefined) query.set('limit', String(limit));
      await askDesk<ParkedAnswer>(run, options, (client) => client.ask('GET', `/v1/parked?${query}`), parkedTable);
    });
  deskCommand(parked, 'show', 'show one with all its bytes')
    .argument('<seq>', 'its sequence, as `parked list` shows it', whole(1))
    .action(async (seq: number, options: DeskOptions) => {
      const ask = path('v1', 'parked', String(seq));
      await askDesk<ParkedFact>(run, options, (client) => client.ask('GET', ask), parkedText);
    });
  working(deskCommand(parked, 'resubmit', 'submit some again as they came, or one corrected'), ['waiting', 'dismissed'])
    .option('--corrected <file>', 'a JSON file with the fact that takes the place of the one named')
    .action((seqs: readonly number[], options: WorkOptions) => resubmit(run, seqs, options));
  working(deskCommand(parked, 'dismiss', 'dismiss some that shall not count'), ['waiting']).action(
    (seqs: readonly number[], options: WorkOptions) => work(run, 'dismiss', seqs, options),
  );
}

async function resubmit(run: CliRun, seqs: readonly number[], options: WorkOptions): Promise<void> {
  const { corrected, by, why, state } = options;
  if (corrected === undefined && (seqs.length !== 1 || why !== undefined || Object.keys(filtersIn(options)).length > 0))
    return work(run, 'resubmit', seqs, options);
  const [seq] = seqs;
  if (seq === undefined || seqs.length > 1)
    throw new UsageError('--corrected takes the place of one fact: name its sequence');
  const said = Object.entries({ by, why, state }).filter((each): each is [string, string] => each[1] !== undefined);
  const ask = `${path('v1', 'parked', String(seq), 'resubmit')}?${new URLSearchParams(said)}`;
  const body = corrected === undefined ? undefined : readFact(corrected);
  await askDesk<{ seq: number }>(
    run,
    options,
    (client) => client.ask('POST', ask, body),
    () => `${seq} is submitted again\n`,
  );
}

/** Resubmits or dismisses the facts that are named or fit the filter, with as many requests as that takes. */
async function work(
  run: CliRun,
  step: 'resubmit' | 'dismiss',
  seqs: readonly number[],
  options: WorkOptions,
): Promise<void> {
  const { by = run.env.USER ?? '', why, state } = options;
  const filter = { ...filtersIn(options), ...(state === undefined ? {} : { state }) };
  if (seqs.length === 0 && Object.keys(filter).length === 0)
    throw new UsageError(
      'Name sequences, or say which: --reason, --device, --sku, --location, or --state waiting for all.',
    );
  if (by === '') throw new UsageError('--by must say who decides.');
  if (why === undefined) throw new UsageError('--why must say why.');
  const named = seqs.length === 0 ? filter : { ...filter, seqs };
  await askDesk<ParkedWork>(
    run,
    options,
    (client) => workThrough(client, step, { ...named, by, why }),
    (done) => {
      if (done.left !== undefined) run.exitCode = 1;
      return workText(step, done);
    },
  );
}

async function workThrough(client: Client, step: string, body: object): Promise<Asked<ParkedWork>> {
  let facts = 0;
  const left = new Map<string, NonNullable<ParkedWork['left']>[number]>();
  for (let after: number | undefined; ; ) {
    const asked = await client.ask<ParkedWork>(
      'POST',
      `/v1/parked/${step}`,
      after === undefined ? body : { ...body, after },
    );
    if (!asked.ok) return asked;
    facts += asked.body.facts;
    for (const each of asked.body.left ?? [])
      left.set(each.code, { ...each, facts: each.facts + (left.get(each.code)?.facts ?? 0) });
    after = asked.body.next;
    if (after === undefined)
      return { ...asked, body: { facts, ...(left.size === 0 ? {} : { left: [...left.values()] }) } };
  }
}

function workText(step: 'resubmit' | 'dismiss', { facts, left = [] }: ParkedWork): string {
  const done = step === 'resubmit' ? 'submitted again' : 'dismissed';
  const one = facts === 1;
  const lines = left.map((each) => `${each.facts} still wait: ${each.message} (such as ${each.seq})`);
  return `${[`${facts} fact${one ? ' is' : 's are'} ${done}`, ...lines].join('\n')}\n`;
}

/** Adds the options that select facts. */
function filtered(command: Command): Command {
  return command
    .option('--reason <reason>', 'only those parked for this reason, such as too-old')
    .option('--device <id>', "only those of this device; '' for those that name none")
    .option('--sku <sku>', 'only those of this SKU')
    .option('--location <id>', 'only those of this location');
}

function working(command: Command, states: readonly string[]): Command {
  return filtered(command.argument('[seq...]', 'their sequences, as `parked list` shows them', collected))
    .addOption(new Option('--state <state>', 'only those in this state (default waiting)').choices(states))
    .option('--by <name>', 'who decides (default: USER)')
    .option('--why <text>', 'why');
}

function filtersIn(options: Filters): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of FILTERS) {
    const text = name === 'state' ? undefined : options[name];
    if (text !== undefined) given[name] = text;
  }
  return given;
}

function parkedTable({ parked, next }: ParkedAnswer): string {
  if (parked.length === 0) return next === null ? 'No such fact is parked.\n' : `More: add --after ${next}\n`;
  const head = [
    { title: 'SEQ', align: 'right' as const },
    { title: 'PARKED AT' },
    { title: 'REASON' },
    { title: 'STATE' },
    { title: 'DEVICE' },
    { title: 'LOCATION' },
    { title: 'SKU' },
    { title: 'ID' },
    { title: 'MESSAGE' },
  ];
  const rows = parked.map(({ seq, parkedAt, reason, state, device, location, sku, id, message }) => [
    seq,
    parkedAt,
    reason,
    state,
    device ?? '',
    location ?? '',
    sku ?? '',
    id ?? '',
    message,
  ]);
  return table(head, rows) + (next === null ? '' : `More: add --after ${next}\n`);
}

function parkedText(fact: ParkedFact): string {
  const { seq, parkedAt, reason, state, decided, source, message, contentType, bytes, length, cut } = fact;
  const raw = Buffer.from(bytes, 'base64');
  const [text, form] = contentType === JSON_TYPE ? [raw.toString('utf8'), 'text'] : [bytes, 'base64'];
  const by =
    decided === undefined ? '' : ` at ${decided.at} by ${decided.by ?? 'someone'}: ${decided.why ?? 'no reason given'}`;
  const rows: [string, string][] = [
    ['seq', String(seq)],
    ['parked at', parkedAt],
    ['reason', reason],
    ['state', state + by],
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

function whole(min: number, max?: number): (text: string) => number {
  const bounds = max === undefined ? `from ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const number = Number(text);
    if (!/^\d{1,15}$/.test(text) || number < min || number > (max ?? number))
      throw new InvalidArgumentError(`It must be a whole number ${bounds}.`);
    return number;
  };
}

const sequence = whole(1);
function collected(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), sequence(text)];
}
