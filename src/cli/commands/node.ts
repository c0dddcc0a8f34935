/** The commands `up`, `node`, `replay` and `doctor`, which run Holdfast. Each loads its code only when it is called. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadSettings } from '../../../config/load-settings.ts';
import { optionsOf, SETTINGS, type SettingFlags, type SettingName, type Settings } from '../../../config/settings.ts';
import { printable, printableJson } from '../../../streams/names.ts';
import type { Finding } from '../../operate/doctor.ts';
import { ranges } from '../../operate/ownership-view.ts';
import { findHttp, runningUp } from '../support/address.ts';
import type { CliRun } from '../support/io.ts';
import { table } from '../support/table.ts';

export type Given = Readonly<Record<string, unknown>>;

/** Most nodes of one `up`. Each is a process of about 100 MB, and more nodes than cores bring no gain. */
const MOST_NODES = 16;
const NAMES = Object.keys(SETTINGS) as SettingName[];

interface ReplayOptions {
  readonly format?: string;
  readonly speed?: string;
  readonly location?: string;
  readonly fromNow?: boolean;
  readonly encoding?: string;
  readonly delimiter?: string;
  readonly dateFormat?: string;
  readonly asIs?: boolean;
  readonly http?: string;
  readonly json?: boolean;
}

export function addNodeCommands(program: Command, run: CliRun): void {
  const up = program
    .command('up')
    .description('everything on this machine: private NATS and Redis, a node or several, and the demo retailer')
    .option('--fresh', 'start over: remove what an earlier run left')
    .option('--no-demo', 'start empty')
    .option('--nodes <n>', `so many nodes, that share the partitions: 1 to ${MOST_NODES}; default 1`, nodeCount);
  settingOptions(up, NAMES).action(async (given: Given) => {
    const { runUp } = await import('../../up/up.ts');
    const nodes = given.nodes as number | undefined;
    run.exitCode = await runUp({ ...flagsOf(given), fresh: given.fresh === true, noDemo: given.demo === false, nodes });
  });
  const node = program.command('node').description('one node, on NATS and Redis that are there already');
  settingOptions(node, NAMES).action(async (given: Given) => {
    const { runNode } = await import('../../node/run-node.ts');
    run.exitCode = await runNode(flagsOf(given));
  });
  program
    .command('replay')
    .description('publish facts from files, gzip and zip too; exit code 0 only if all were stored')
    .argument('<file...>', 'files of facts')
    .option('--format <format>', 'online-retail or facts; without it the file tells')
    .option('--speed <n>', '60 plays an hour in a minute; max (default) does not wait')
    .option('--location <id>', 'where the facts of a file without locations happened')
    .option('--from-now', 'stamp the facts by the clock of the replay, so that none lies in the future')
    .option('--encoding <name>', 'of files that are not UTF-8 and have no byte order mark, such as windows-1252')
    .option('--delimiter <name>', 'comma, semicolon, tab or pipe; without it the header tells')
    .option('--date-format <form>', 'of InvoiceDate, such as "D/M/YYYY H:mm"; without it 2010-12-01 08:26:00')
    .option('--as-is', 'take SKUs that a spreadsheet seems to have spoiled, such as 6.93217E+12')
    .option('--http <host:port>', 'the node to send to (HOLDFAST_HTTP)')
    .option('--json', 'print the counts as JSON')
    .action(async (files: string[], { http, ...options }: ReplayOptions) => {
      const { runReplay } = await import('../../replay/command.ts');
      const stop = new AbortController();
      const interrupt = () => stop.abort();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
      const address = await findHttp(http, run.env);
      const { stdout, stderr } = run;
      const io = { stdout, stderr, stdin: process.stdin, signal: stop.signal };
      run.exitCode = await runReplay({ ...options, files, http: address }, io);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupt);
    });
  const doctor = program
    .command('doctor')
    .description('check NATS, Redis, streams, lag, ownership and clocks; say what is wrong and what to do')
    .option('--json', 'print the findings as JSON');
  settingOptions(doctor, NAMES).action(async (given: Given) => runDoctor(run, given));
}

async function runDoctor(run: CliRun, given: Given): Promise<void> {
  const settings = serverSettings(given, run.env);
  const { examine } = await import('../../operate/doctor.ts');
  const findings = await examine(settings);
  if (findings.some(({ state }) => state === 'bad')) run.exitCode = 1;
  run.stdout.write(
    given.json === true
      ? printableJson(`${JSON.stringify(findings)}\n`)
      : `${findings.map(findingText).join('')}${ownersText(findings)}`,
  );
}

function findingText({ what, state, says, remedy }: Finding): string {
  const mark = { good: 'good   ', warning: 'WARNING', bad: 'BAD    ' }[state];
  const line = printable(`${mark}  ${what}: ${says}`);
  return remedy === '' ? `${line}\n` : `${line}\n         ${printable(`What to do: ${remedy}`)}\n`;
}

/** The table of owners: a row for each node, and one for the partitions without an owner. */
function ownersText(findings: readonly Finding[]): string {
  const rows = findings.flatMap(({ owner }) => {
    if (owner === undefined) return [];
    const { name, http, partitions } = owner;
    const epochs = partitions.flatMap(({ epoch }) => (epoch === null ? [] : [epoch])).sort((a, b) => a - b);
    const quiet = partitions.length - epochs.length;
    const said = epochs.length === 0 ? '' : `${epochs[0]}–${epochs.at(-1)}`;
    const late = quiet === 0 ? '' : `${said === '' ? '' : ', '}${quiet} not served yet`;
    return [[name, http, partitions.length, ranges(partitions.map(({ partition }) => partition)), `${said}${late}`]];
  });
  const unowned = findings.flatMap((finding) => finding.unowned ?? []);
  if (unowned.length > 0) rows.push(['nobody', '', unowned.length, ranges(unowned), '']);
  if (rows.length === 0) return '';
  const columns = ['NODE', 'HTTP', 'COUNT', 'PARTITIONS', 'EPOCHS'].map((title) => ({
    title,
    align: title === 'COUNT' ? ('right' as const) : ('left' as const),
  }));
  return `\n${table(columns, rows)}`;
}

function nodeCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MOST_NODES)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_NODES}.`);
  return count;
}

/** Settings of a command that connects to the servers. By default these are the servers of a running `up`. May throw a SettingError. */
export function serverSettings(given: Given, env: CliRun['env']): Settings {
  const flags = flagsOf(given);
  const told = loadSettings(flags, env);
  const up = runningUp(flags, env, told);
  if (up === undefined) return told;
  const { nats, redis, natsMonitor } = up;
  return loadSettings({ ...flags, nats, redis, natsMonitor, natsMonitorFile: undefined }, env);
}

/** Adds the options of each setting, from the table that also loads the settings. */
export function settingOptions(command: Command, names: readonly SettingName[] = NAMES): Command {
  for (const name of names) {
    const { fallback, why } = SETTINGS[name];
    for (const { key, flag, env } of optionsOf(name)) {
      const text =
        key === name ? `${why} (${env}; default ${fallback ?? 'none'})` : `${why}; a file that holds it (${env})`;
      command.addOption(new Option(`${flag} <${key === name ? 'value' : 'path'}>`, text));
    }
  }
  return command.option('--config <file>', 'a JSON file of settings (HOLDFAST_CONFIG)');
}

/** The given options by name of their setting. For example, `--lease` sets leaseTtl. */
function flagsOf(given: Given): SettingFlags {
  const flags: Record<string, string> = {};
  for (const { key, flag } of [...NAMES.flatMap(optionsOf), { key: 'config', flag: '--config' }]) {
    const value = given[new Option(`${flag} <value>`).attributeName()];
    if (typeof value === 'string') flags[key] = value;
  }
  return flags;
}
