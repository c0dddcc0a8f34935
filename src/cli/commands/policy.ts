/** The commands `policy` and `location`: what is in force, what is set, who changed it, and how to change it. */
import type { Command } from 'commander';
import { decodeBody, JSON_TYPE } from '../../../streams/codec.ts';
import { type LocationAnswer, locationBody } from '../../../streams/contract/promise/location.ts';
import {
  type EffectiveAnswer,
  type PolicyAnswer,
  type PolicyHistory,
  policyBody,
  type RemovedAnswer,
} from '../../../streams/contract/promise/policy.ts';
import type { LocationBrief } from '../../../streams/contract/system.ts';
import { path } from '../../client/client.ts';
import { askDesk, type DeskOptions, deskCommand } from '../support/ask-node.ts';
import { type CliRun, UsageError } from '../support/io.ts';
import { table } from '../support/table.ts';
import { checkTyped } from '../support/typed.ts';

interface ChangeOptions extends DeskOptions {
  readonly by?: string;
  readonly why?: string;
}

/** Fields that are lists of words, which are typed with commas. */
const LISTS = new Set(['substitutes', 'channels', 'services']);
/** Fields whose value is text even where it looks like a number. */
const TEXTS = new Set(['name', 'kind', 'timezone']);

export function addPolicyCommands(program: Command, run: CliRun): void {
  const policy = program
    .command('policy')
    .description("what may be promised to whom; '*' stands for every SKU or location");
  const policyPath = (sku: string, location: string) => path('v1', 'policies', sku, location);
  const ofLevel = (name: string, description: string) =>
    deskCommand(policy, name, description)
      .argument('<sku>', "the SKU, or '*'")
      .argument('<location>', "the location, or '*'");
  ofLevel('get', 'what is set at a level').action((sku: string, location: string, options: DeskOptions) =>
    askDesk<PolicyAnswer>(run, options, (client) => client.ask('GET', policyPath(sku, location)), fieldsTable),
  );
  ofLevel('effective', 'what is in force, and which level each field comes from').action(
    (sku: string, location: string, options: DeskOptions) =>
      askDesk<EffectiveAnswer>(
        run,
        options,
        (client) => client.ask('GET', `${policyPath(sku, location)}/effective`),
        effectiveTable,
      ),
  );
  ofLevel('history', 'who changed it, when and why').action((sku: string, location: string, options: DeskOptions) =>
    askDesk<PolicyHistory>(
      run,
      options,
      (client) => client.ask('GET', `${policyPath(sku, location)}?history=1`),
      historyTable,
    ),
  );
  changing(ofLevel('set', 'set a level; it replaces what was set there'))
    .argument(
      '[field=value...]',
      'such as safetyStock=2 protect.pickup=3 channels=web,store reorder.min=5 reorder.max=20',
    )
    .action((sku: string, location: string, typed: readonly string[] | undefined, options: ChangeOptions) => {
      const body = bodyOf(typed ?? [], options);
      checkTyped(policyBody, body);
      return askDesk<PolicyAnswer>(
        run,
        options,
        (client) => client.ask('PUT', policyPath(sku, location), body),
        fieldsTable,
      );
    });
  changing(ofLevel('delete', 'remove what is set at a level')).action(
    (sku: string, location: string, options: ChangeOptions) => {
      const ask = `${policyPath(sku, location)}?${new URLSearchParams(saidIn(options))}`;
      return askDesk<RemovedAnswer>(
        run,
        options,
        (client) => client.ask('DELETE', ask),
        () => 'It is removed.\n',
      );
    },
  );
  addLocationCommands(program, run);
}

function addLocationCommands(program: Command, run: CliRun): void {
  const location = program.command('location').description('what the locations are');
  deskCommand(location, 'get', 'the description of a location')
    .argument('<id>', 'the location')
    .action((id: string, options: DeskOptions) =>
      askDesk<LocationAnswer>(run, options, (client) => client.ask('GET', path('v1', 'locations', id)), fieldsTable),
    );
  changing(deskCommand(location, 'set', 'describe a location; it replaces the description'))
    .argument('<id>', 'the location')
    .argument('[field=value...]', 'such as name="Leeds" kind=store timezone=Europe/London transitHours.dc-1=18')
    .action((id: string, typed: readonly string[] | undefined, options: ChangeOptions) => {
      const body = bodyOf(typed ?? [], options);
      checkTyped(locationBody, body);
      const ask = path('v1', 'locations', id);
      return askDesk<LocationAnswer>(run, options, (client) => client.ask('PUT', ask, body), fieldsTable);
    });
  deskCommand(location, 'list', 'every location in short', true).action((options: DeskOptions) =>
    askDesk<{ locations: readonly LocationBrief[] }>(
      run,
      options,
      (client) => client.ask('GET', '/v1/locations'),
      locationsTable,
    ),
  );
}

function changing(command: Command): Command {
  return command.option('--by <name>', 'who changes it').option('--why <text>', 'why');
}

function saidIn({ by, why }: ChangeOptions): Record<string, string> {
  return { ...(by === undefined ? {} : { by }), ...(why === undefined ? {} : { why }) };
}

/** The body that `field=value` words say. What follows the first dot of a field is a name within it. */
function bodyOf(typed: readonly string[], options: ChangeOptions): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const word of typed) {
    const [, field, name, text] = /^([^.=]+)(?:\.([^=]*))?=(.*)$/su.exec(word) ?? [];
    if (field === undefined || text === undefined)
      throw new UsageError(`${word} is not of the form field=value, such as safetyStock=2 or protect.pickup=3.`);
    const value = typedValue(field, text);
    if (name === undefined) body[field] = value;
    else body[field] = { ...(body[field] as object | undefined), [name]: value };
  }
  return { ...body, ...saidIn(options) };
}

function typedValue(field: string, text: string): unknown {
  if (TEXTS.has(field)) return text;
  if (LISTS.has(field) && !text.startsWith('[')) return text === '' ? [] : text.split(',');
  try {
    return decodeBody(Buffer.from(text), JSON_TYPE);
  } catch {
    return text;
  }
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function fieldsTable(answer: object): string {
  const rows = Object.entries(answer).map(([field, value]) => [field, shown(value)]);
  return table([{ title: 'FIELD' }, { title: 'VALUE' }], rows);
}

function effectiveTable({ levels, ...fields }: EffectiveAnswer): string {
  const rows = Object.entries(fields).map(([field, value]) => {
    const level = levels[field];
    return [field, shown(value), level === undefined ? '' : `${level.sku} at ${level.location}`];
  });
  return table([{ title: 'FIELD' }, { title: 'VALUE' }, { title: 'SET FOR' }], rows);
}

function historyTable({ history }: PolicyHistory): string {
  const rows = history.map(({ etag, at, by, why, policy }) => {
    const { sku: _sku, location: _location, ...fields } = policy ?? {};
    return [etag, at, by ?? '', why ?? '', policy === null ? 'removed' : JSON.stringify(fields)];
  });
  return table([{ title: 'VERSION' }, { title: 'AT' }, { title: 'BY' }, { title: 'WHY' }, { title: 'SET' }], rows);
}

function locationsTable({ locations }: { readonly locations: readonly LocationBrief[] }): string {
  if (locations.length === 0) return 'No location is known.\n';
  const columns = [
    { title: 'LOCATION' },
    { title: 'KIND' },
    { title: 'NAME' },
    { title: 'ON HAND', align: 'right' as const },
    { title: 'ATP', align: 'right' as const },
    { title: 'ANOMALIES', align: 'right' as const },
  ];
  return table(
    columns,
    locations.map(({ location, kind = '', name = '', units, openAnomalies }) => [
      location,
      kind,
      name,
      units.onHand,
      units.atp,
      openAnomalies,
    ]),
  );
}
