/**
 * `holdfast replay`: options, progress and summary, for a person at a terminal or a script. This is the one file that imports
 * cli-progress.
 */
import { statSync } from 'node:fs';
import progress from 'cli-progress';
import type { Clock } from '../../streams/clock.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { Client } from '../client/client.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { httpSender } from './http-sender.ts';
import { parseSpeed, SPEED_RULE } from './pace.ts';
import { FORMATS, type Format } from './read.ts';
import { exitCodeOf, type ReplayProgress, type ReplaySummary, replay } from './replay.ts';
import type { Send } from './send.ts';

/** Options as typed. Their text is checked here. */
export interface ReplayArgs {
  readonly files: readonly string[];
  /** HOST:PORT or https://… of a node. */
  readonly http: string;
  readonly format?: string | undefined;
  readonly speed?: string | undefined;
  readonly location?: string | undefined;
  readonly fromNow?: boolean | undefined;
  readonly json?: boolean | undefined;
}
export interface ReplayIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Used instead of HTTP. */
  readonly send?: Send | undefined;
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
  const summary = await replay({
    files: args.files,
    format: args.format as Format | undefined,
    speed: args.speed === undefined ? 'max' : parseSpeed(args.speed),
    location: args.location,
    fromNow: args.fromNow,
    send: io.send ?? httpSender(new Client([args.http])),
    clock,
    signal: io.signal,
    progress: show.progress,
  });
  show.end();
  io.stdout.write(args.json === true ? `${JSON.stringify(summary)}\n` : describe(summary));
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
    `skipped     ${number(skipped)}${skipped > 0 ? ' (rows that are no stock, such as postage and fees)' : ''}`,
  ];
  if (unsent > 0) out.push(`unsent      ${number(unsent)}`);
  for (const { file, place, id, code, message } of summary.refusals) {
    out.push(`  ${file}:${place}${id === undefined ? '' : ` ${id}`} ${code}: ${message}`);
  }
  if (refused > summary.refusals.length) out.push(`  and ${number(refused - summary.refusals.length)} more`);
  out.push(...advice(summary));
  if (stopped !== null)
    out.push(`Not finished: ${stopped}. What was stored counts once: replay the same files again to go on.`);
  return `${out.join('\n')}\n`;
}

function advice({ refusedByCode }: ReplaySummary): string[] {
  const out: string[] = [];
  if ((refusedByCode['too-old'] ?? 0) > 0) {
    out.push(
      'too-old: they happened before the idempotency horizon and are parked. Give the first node HOLDFAST_HORIZON=off, or later end all nodes and run holdfast horizon off, or use --from-now.',
    );
  }
  if ((refusedByCode['id-conflict'] ?? 0) > 0) {
    out.push(
      'id-conflict: these ids were stored with other content before (other stamps, by --from-now, are other content) and are parked.',
    );
  }
  return out;
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
  return undefined;
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

interface Show {
  readonly progress: (progress: ReplayProgress) => void;
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
  single.start(totalBytes, 0, { published: 0, refused: 0 });
  return {
    progress: (progress) => single.update(progress.bytes, progress),
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
