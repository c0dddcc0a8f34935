/**
 * `holdfast replay`: options, progress and summary, for a person at a terminal or a script. This is the one file that imports
 * cli-progress.
 */
import { statSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import progress from 'cli-progress';
import type { Clock } from '../../streams/clock.ts';
import { isName, NAME_RULE, printable, printableJson } from '../../streams/names.ts';
import { Client } from '../client/client.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { DATE_FORMAT_RULE, dateReader } from './file/date-format.ts';
import { ENCODING_RULE, isEncoding } from './file/encoding.ts';
import { DELIMITER_RULE, parseDelimiter } from './file/table.ts';
import { httpHorizonMs, httpSender } from './http-sender.ts';
import { parseSpeed, SPEED_RULE } from './pace.ts';
import { FORMATS, type Format } from './read.ts';
import { exitCodeOf, type ReplayProgress, type ReplaySummary, replay } from './replay.ts';
import type { Send } from './send.ts';
import { adviceOn } from './trial.ts';

/** Options as typed. Their text is checked here. */
export interface ReplayArgs {
  readonly files: readonly string[];
  /** HOST:PORT or https://… of a node. */
  readonly http: string;
  readonly format?: string | undefined;
  readonly speed?: string | undefined;
  readonly location?: string | undefined;
  readonly fromNow?: boolean | undefined;
  readonly encoding?: string | undefined;
  readonly delimiter?: string | undefined;
  readonly dateFormat?: string | undefined;
  readonly asIs?: boolean | undefined;
  readonly json?: boolean | undefined;
}
export interface ReplayIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** A person is asked only if this and stderr are a terminal. */
  readonly stdin?: (NodeJS.ReadableStream & { readonly isTTY?: boolean }) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Used instead of HTTP. */
  readonly send?: Send | undefined;
  readonly horizonMs?: (() => Promise<number | undefined>) | undefined;
}

const LINE_EVERY_MS = 2_000;
const USAGE = 2;

/** Resolves with the exit code: 0 if all facts are stored, 1 if not, 2 for wrong usage. */
export async function runReplay(args: ReplayArgs, io: ReplayIo): Promise<number> {
  const wrong = wrongUsage(args);
  if (wrong !== undefined) {
    io.stderr.write(`${wrong}\n`);
    return USAGE;
  }
  const sizes = args.files.map(sizeOf);
  const missing = args.files.filter((_, index) => sizes[index] === undefined);
  if (missing.length > 0) {
    io.stderr.write(`${missing.join(', ')}: no such file\n`);
    return 1;
  }
  const clock = io.clock ?? new SteadyClock();
  const totalBytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const show = io.stderr.isTTY === true ? bar(io.stderr, totalBytes) : lines(io.stderr, totalBytes, clock);
  const client = new Client([args.http]);
  const summary = await replay({
    files: args.files,
    reading: {
      format: args.format as Format | undefined,
      location: args.location,
      encoding: args.encoding,
      delimiter: args.delimiter === undefined ? undefined : parseDelimiter(args.delimiter),
      date: args.dateFormat === undefined ? undefined : dateReader(args.dateFormat),
      asIs: args.asIs,
    },
    speed: args.speed === undefined ? 'max' : parseSpeed(args.speed),
    fromNow: args.fromNow,
    send: io.send ?? httpSender(client),
    horizonMs: io.send === undefined ? () => httpHorizonMs(client) : io.horizonMs,
    goOn: (doubt) => {
      show.end();
      return asked(doubt, io);
    },
    clock,
    signal: io.signal,
    progress: show.progress,
  });
  show.end();
  io.stdout.write(args.json === true ? printableJson(`${JSON.stringify(summary)}\n`) : describe(summary));
  return exitCodeOf(summary);
}

/** Formats the summary for a person. */
export function describe(summary: ReplaySummary): string {
  const { published, accepted, duplicates, refused, skipped, unsent, seconds, stopped } = summary;
  const sorts = Object.entries(summary.bySort).map(([sort, count]) => `${number(count)} ${sort}`);
  const rate = seconds > 0 ? `, ${number(Math.round(published / seconds))} a second` : '';
  const codes = Object.entries(summary.refusedByCode).map(([code, count]) => `${number(count)} ${code}`);
  const out = [
    `published   ${number(published)} in ${seconds.toFixed(1)} s${rate}${sorts.length > 0 ? ` (${sorts.join(', ')})` : ''}`,
    `accepted    ${number(accepted)}`,
    `duplicates  ${number(duplicates)}`,
    `refused     ${number(refused)}${codes.length > 0 ? ` (${codes.join(', ')})` : ''}`,
    `skipped     ${number(skipped)}${skipped > 0 ? ' (rows that are no stock, such as postage, fees and repeated headers)' : ''}`,
  ];
  if (unsent > 0) out.push(`unsent      ${number(unsent)}`);
  for (const { file, place, id, code, message } of summary.refusals) {
    out.push(`  ${file}:${place}${id === undefined ? '' : ` ${id}`} ${code}: ${message}`);
  }
  if (refused > summary.refusals.length) out.push(`  and ${number(refused - summary.refusals.length)} more`);
  out.push(...adviceOn(summary.refusedByCode).filter((advice) => stopped?.includes(advice) !== true));
  for (const note of summary.notes) out.push(`Note: ${note}.`);
  if (stopped !== null) out.push(`Not finished: ${stopped}`);
  if (stopped !== null && accepted + duplicates > 0)
    out.push('What was stored counts once, so the same files can be replayed again.');
  return `${out
    .flatMap((text) => text.split('\n'))
    .map(printable)
    .join('\n')}\n`;
}

function wrongUsage(args: ReplayArgs): string | undefined {
  if (args.files.length === 0) return 'replay needs at least one file';
  if (args.format !== undefined && !(FORMATS as readonly string[]).includes(args.format)) {
    return `--format is "${args.format}", but must be ${FORMATS.join(' or ')}`;
  }
  if (args.speed !== undefined && parseSpeed(args.speed) === undefined) {
    return `--speed is "${args.speed}", but must be ${SPEED_RULE}`;
  }
  if (args.location !== undefined && !isName(args.location)) {
    return `--location is "${args.location}", but must be ${NAME_RULE}`;
  }
  if (args.encoding !== undefined && !isEncoding(args.encoding)) {
    return `--encoding is "${args.encoding}", but must be ${ENCODING_RULE}`;
  }
  if (args.delimiter !== undefined && parseDelimiter(args.delimiter) === undefined) {
    return `--delimiter is "${args.delimiter}", but must be ${DELIMITER_RULE}`;
  }
  if (args.dateFormat !== undefined && dateReader(args.dateFormat) === undefined) {
    return `--date-format is "${args.dateFormat}", but must be ${DATE_FORMAT_RULE}`;
  }
  return undefined;
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

/** Asks a person whether to go on. Without a terminal the answer is no. */
async function asked(doubt: string, { stdin, stderr, signal }: ReplayIo): Promise<boolean> {
  if (stdin?.isTTY !== true || stderr.isTTY !== true) return false;
  const lines = createInterface({ input: stdin, output: stderr, terminal: false });
  try {
    const question = `${doubt.split('\n').map(printable).join('\n')}\nSend the facts all the same? [y/N] `;
    const answer = await lines.question(question, signal === undefined ? {} : { signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    // Stopped at the question.
    return false;
  } finally {
    lines.close();
  }
}

interface Show {
  readonly progress: (progress: ReplayProgress) => void;
  /** What comes after it is shown again. */
  readonly end: () => void;
}

function bar(stream: NodeJS.WritableStream, totalBytes: number): Show {
  const single = new progress.SingleBar({
    stream,
    hideCursor: true,
    clearOnComplete: false,
    format: (options, params, payload: Partial<ReplayProgress>) => {
      const drawn = progress.Format.BarFormat(params.progress, options);
      const refused = (payload.refused ?? 0) > 0 ? `, ${number(payload.refused ?? 0)} refused` : '';
      return `${drawn} ${Math.floor(params.progress * 100)} % of the files, ${number(payload.published ?? 0)} facts stored${refused}`;
    },
    barCompleteChar: '█',
    barIncompleteChar: '░',
  });
  return {
    progress: (progress) => {
      if (!single.isActive) single.start(totalBytes, 0, progress);
      single.update(progress.bytes, progress);
    },
    end: () => single.stop(),
  };
}

/** Without a terminal, writes one line every LINE_EVERY_MS. */
function lines(stream: NodeJS.WritableStream, totalBytes: number, clock: Clock): Show {
  let latest: ReplayProgress | undefined;
  let cancel = (): void => undefined;
  const tick = () => {
    if (latest !== undefined) {
      const percent = totalBytes > 0 ? Math.floor((latest.bytes / totalBytes) * 100) : 100;
      stream.write(
        `${number(latest.published)} facts published, ${percent} % of the files read, ${number(latest.refused)} refused\n`,
      );
    }
    cancel = clock.after(LINE_EVERY_MS, tick);
  };
  cancel = clock.after(LINE_EVERY_MS, tick);
  return {
    progress: (progress) => {
      latest = progress;
    },
    end: () => cancel(),
  };
}

function number(value: number): string {
  return value.toLocaleString('en-GB');
}
