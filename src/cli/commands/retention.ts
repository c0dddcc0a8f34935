/** The commands `baseline`, `trim`, `verify`, `horizon` and `one-piece`. They shorten streams, verify stored data, and change the rules. */

import type { Command } from 'commander';
import { horizonText, type RulesEntry } from '../../../actors/idempotency/rules.ts';
import type { MadeBaseline } from '../../../actors/retention/make-baseline.ts';
import type { Trimmed } from '../../../actors/retention/trim.ts';
import type { Fault, VerificationReport } from '../../../actors/retention/verify/report.ts';
import { armFailpoint } from '../../../config/failpoints.ts';
import { ONE_PIECE } from '../../../config/rules.ts';
import { parseHorizon, parsePieces } from '../../../config/setting-forms.ts';
import { printable, printableJson } from '../../../streams/names.ts';
import type { CliRun } from '../support/io.ts';
import { table } from '../support/table.ts';
import { type Given, serverSettings, settingOptions } from './node.ts';

export function addInspectionCommands(program: Command, run: CliRun): void {
  const baseline = program
    .command('baseline')
    .description('write a verified copy of the whole state into the JetStream object store; two are kept')
    .option('--json', 'print what was written as JSON');
  settingOptions(baseline).action(async (given: Given) => {
    armFailpoint(run.env.HOLDFAST_FAILPOINT);
    const { runBaseline } = await import('../../operate/retention-commands.ts');
    print(run, given, await runBaseline(serverSettings(given, run.env)), baselineText);
  });
  const trim = program
    .command('trim')
    .description(
      'remove from the streams what the newest baseline holds, after reading it back; never the last record of a writer',
    )
    .option('--older', 'only what the older of the two baselines holds too, so that both can be started from')
    .option('--json', 'print what was removed as JSON');
  settingOptions(trim).action(async (given: Given) => {
    armFailpoint(run.env.HOLDFAST_FAILPOINT);
    const { runTrim } = await import('../../operate/retention-commands.ts');
    print(run, given, await runTrim(serverSettings(given, run.env), { older: given.older === true }), trimText);
  });
  const verify = program
    .command('verify')
    .description(
      'check chains, epochs, snapshots and baselines against a replay of the streams; exit code 0 only if all is good',
    )
    .option('--json', 'print the verdict as JSON');
  settingOptions(verify).action(async (given: Given) => {
    const { runVerify } = await import('../../operate/retention-commands.ts');
    const report = await runVerify(serverSettings(given, run.env));
    if (!report.good) run.exitCode = 1;
    print(run, given, report, reportText);
  });
  const horizon = program
    .command('horizon')
    .description(
      'change the idempotency horizon that is recorded with the streams, for facts that are stored from then on; only while no node runs',
    )
    .argument('<duration>', 'such as 7d, or off')
    .option('--json', 'print the entry that holds as JSON');
  settingOptions(horizon).action(async (duration: string, given: Given) => {
    const horizonMs = parseHorizon(duration);
    const { runChangeRules } = await import('../../operate/retention-commands.ts');
    const entry = await runChangeRules(serverSettings(given, run.env), { horizonMs });
    print(run, given, entry, () => changedText(`The horizon is ${horizonText(entry.horizonMs)}`, entry));
  });
  const onePiece = program
    .command('one-piece')
    .description(
      'change what uom, unit and pack of a fact may say, which is recorded with the streams, for facts that are stored from then on; only while no node runs',
    )
    .argument('<words>', `such as ${ONE_PIECE.join(',')}; in any case`)
    .option('--json', 'print the entry that holds as JSON');
  settingOptions(onePiece).action(async (words: string, given: Given) => {
    const pieces = parsePieces(words);
    const { runChangeRules } = await import('../../operate/retention-commands.ts');
    const entry = await runChangeRules(serverSettings(given, run.env), { pieces });
    print(run, given, entry, () => changedText(`One piece is ${pieces.join(', ')}`, entry));
  });
}

function changedText(what: string, { from }: RulesEntry): string {
  const since = Object.entries(from).map(([stream, seq]) => `${stream} ${seq}`);
  return `${what} from ${since.length === 0 ? 'the beginning' : since.join(', ')} on. Facts stored before keep their verdict.\n`;
}

function print<T>({ stdout }: CliRun, given: Given, answer: T, text: (answer: T) => string): void {
  stdout.write(given.json === true ? printableJson(`${JSON.stringify(answer)}\n`) : text(answer));
}

function baselineText({ baseline, facts, decisions, bytes }: MadeBaseline): string {
  const keys = baseline.parts.reduce((sum, part) => sum + part.keys, 0);
  const reservations = baseline.parts.reduce((sum, part) => sum + part.reservations, 0);
  return [
    `Baseline ${baseline.id} is written and read back: ${keys} stock keys, ${reservations} reservations, ${bytes} bytes in ${baseline.parts.length} partitions.`,
    `It holds ${facts} facts and ${decisions} decisions that no earlier baseline held, up to:`,
    table(
      [{ title: 'STREAM' }, { title: 'SEQUENCE', align: 'right' }],
      [...Object.entries(baseline.positions), ['JOURNAL', baseline.journalSeq]],
    ),
  ].join('\n');
}

function trimText({ baseline, removed, floors, notes }: Trimmed): string {
  const rows = Object.entries(removed).map(([stream, count]) => [stream, floors[stream] ?? 0, count]);
  const head = [
    { title: 'STREAM' },
    { title: 'UP TO', align: 'right' as const },
    { title: 'REMOVED', align: 'right' as const },
  ];
  return `Trimmed to baseline ${baseline}.\n${table(head, rows)}${notes.map((note) => `Note: ${printable(note)}\n`).join('')}`;
}

function reportText({ good, faults, checked, notes }: VerificationReport): string {
  const lines = [
    `Checked ${checked.records} records of ${checked.writers} writers, ${checked.messages} messages of facts, ${checked.snapshots} snapshots, ${checked.baselines} baselines; the replay ends in ${checked.keys} stock keys and ${checked.reservations} reservations.`,
    ...notes.map((note) => `Note: ${note}`),
    ...faults.map((fault) => `BAD  ${placeOf(fault)}${fault.what}`),
    good ? 'All is good.' : `${faults.length} faults.`,
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function placeOf({ stream, seq, writer, n, partition, page }: Fault): string {
  const parts = [
    stream === undefined ? '' : `${stream}${seq === undefined ? '' : ` ${seq}`}`,
    writer === undefined ? '' : `writer ${writer}, n ${n}`,
    partition === undefined ? '' : `partition ${partition}${page === undefined ? '' : `, page ${page}`}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `${parts.join(', ')}: `;
}
