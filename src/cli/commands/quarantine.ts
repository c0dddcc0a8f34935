/** The commands `quarantine`, `quarantine show` and `quarantine skip`. They show why partitions are not served, and let a person go on. */

import { type Command, InvalidArgumentError } from 'commander';
import { JUDGED_STREAMS, type Judgement } from '../../../actors/log/judge.ts';
import type { Skip } from '../../../actors/log/skips.ts';
import { type Decision, isFence } from '../../../streams/journal/decision.ts';
import { printable } from '../../../streams/names.ts';
import { ranges } from '../../operate/ownership-view.ts';
import type { QuarantineList } from '../../operate/quarantine-commands.ts';
import type { CliRun } from '../support/io.ts';
import { table } from '../support/table.ts';
import { type Given, serverSettings, settingOptions } from './node.ts';

/** Limits on the output: bytes of a message, and decisions of a record. */
const SHOWN_BYTES = 48;
const SHOWN_DECISIONS = 20;

export function addQuarantineCommands(program: Command, run: CliRun): void {
  const quarantine = program
    .command('quarantine')
    .description('partitions that are not served because their log cannot be read, and what people have skipped')
    .option('--json', 'print them as JSON');
  settingOptions(quarantine).action(async (given: Given) => {
    const { listQuarantine } = await import('../../operate/quarantine-commands.ts');
    print(run, given, await listQuarantine(serverSettings(given, run.env)), listText);
  });
  const show = quarantine
    .command('show')
    .description(
      'shows the message at a place of a stream, whether reading stops there, and what skipping it would mean',
    )
    .argument('<stream>', `one of ${JUDGED_STREAMS.join(', ')}`, stream)
    .argument('<seq>', 'its sequence', sequence)
    .option('--json', 'print it as JSON');
  settingOptions(show).action(async (name: string, seq: number, _: Given, command: Command) => {
    const given = command.optsWithGlobals();
    const { showPlace } = await import('../../operate/quarantine-commands.ts');
    print(run, given, shown(await showPlace(serverSettings(given, run.env), name, seq)), placeText);
  });
  const skip = quarantine
    .command('skip')
    .description('go on without that message, for ever; refused if it can be read')
    .argument('<stream>', `one of ${JUDGED_STREAMS.join(', ')}`, stream)
    .argument('<seq>', 'its sequence', sequence)
    .requiredOption('--by <who>', 'who has judged it', said)
    .requiredOption('--why <text>', 'why it may be skipped', said)
    .option('--json', 'print the judgement as JSON');
  settingOptions(skip).action(async (name: string, seq: number, _: Given, command: Command) => {
    const given = command.optsWithGlobals() as Given & { by: string; why: string };
    const { skipPlace } = await import('../../operate/quarantine-commands.ts');
    const { by, why } = given;
    print(run, given, await skipPlace(serverSettings(given, run.env), name, seq, { by, why }), skipText);
  });
}

/** The output for a place in a stream. Long messages and records are cut. */
interface Shown {
  readonly place: string;
  readonly stops: boolean;
  readonly says: string;
  readonly means: string;
  readonly stored?: { at: string; subject: string; bytes: number; begins: string };
  readonly record?: { writer: string; n: number; decisions: number; first: readonly string[] };
}

function shown({ stream, seq, stops, says, means, message, record }: Judgement): Shown {
  return {
    place: `${stream}.${seq}`,
    stops,
    says,
    means,
    ...(message === undefined
      ? {}
      : {
          stored: {
            at: new Date(message.recordedAt / 1000).toISOString(),
            subject: message.subject,
            bytes: message.data.length,
            begins: Buffer.from(message.data.subarray(0, SHOWN_BYTES)).toString('hex'),
          },
        }),
    ...(record === undefined
      ? {}
      : {
          record: {
            writer: record.writer,
            n: record.n,
            decisions: record.decisions.length,
            first: record.decisions.slice(0, SHOWN_DECISIONS).map(shownDecision),
          },
        }),
  };
}

function shownDecision(decision: Decision): string {
  if (isFence(decision)) return `fenced by ${decision.by}`;
  return 'id' in decision ? `${decision.kind} ${decision.id}` : decision.kind;
}

function print<T>({ stdout }: CliRun, given: Given, answer: T, text: (answer: T) => string): void {
  stdout.write(given.json === true ? `${JSON.stringify(answer)}\n` : text(answer));
}

function listText({ quarantined, silent, skips }: QuarantineList): string {
  const lines: string[] = [];
  const groups = new Map<string, number[]>();
  for (const { node, why, place, partition } of quarantined) {
    const reason = JSON.stringify([node, why, place]);
    groups.set(reason, [...(groups.get(reason) ?? []), partition]);
  }
  for (const [reason, partitions] of groups) {
    const [node, why, place] = JSON.parse(reason) as [string, string, string | null];
    const numbers = ranges(partitions.sort((a, b) => a - b));
    lines.push(`${node} does not serve partitions ${numbers}: ${printable(why)}`);
    if (place !== null) lines.push(`  look at it: holdfast quarantine show ${place.replace('.', ' ')}`);
  }
  if (quarantined.length === 0) lines.push('No partition is in quarantine.');
  for (const node of silent) lines.push(`${printable(node)} did not say what it has in quarantine.`);
  const columns = ['SKIPPED', 'BY', 'AT', 'WHY'].map((title) => ({ title }));
  const rows = skips.map(({ stream, seq, by, at, why }) => [`${stream}.${seq}`, by, at, why]);
  return `${lines.join('\n')}\n${rows.length === 0 ? '' : `\n${table(columns, rows)}`}`;
}

function placeText({ place, stops, says, means, stored, record }: Shown): string {
  const lines = [`${place}: ${printable(says)}`];
  if (stored !== undefined) {
    lines.push(`  stored at ${stored.at} on ${printable(stored.subject)}, ${stored.bytes} bytes: ${stored.begins}…`);
  }
  if (record !== undefined) {
    lines.push(`  record ${record.n} of ${printable(record.writer)}, ${record.decisions} decisions`);
    for (const each of record.first) lines.push(`    ${printable(each)}`);
  }
  if (stops) {
    lines.push(`If it is skipped: ${means}.`);
    lines.push(`  holdfast quarantine skip ${place.replace('.', ' ')} --by WHO --why TEXT`);
  }
  return `${lines.join('\n')}\n`;
}

function skipText({ stream, seq, by }: Skip): string {
  return `${stream}.${seq} is skipped, as ${printable(by)} has judged. Nodes that stopped at it go on within seconds.\n`;
}

function stream(text: string): string {
  if ((JUDGED_STREAMS as readonly string[]).includes(text)) return text;
  throw new InvalidArgumentError(`It must be one of ${JUDGED_STREAMS.join(', ')}.`);
}

function sequence(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}

function said(text: string): string {
  const clean = text.trim();
  if (clean.length === 0 || clean.length > 1_000) throw new InvalidArgumentError('It must have 1 to 1,000 characters.');
  return clean;
}
