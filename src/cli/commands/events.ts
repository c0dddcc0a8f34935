/** The command `events` shows the events that Holdfast publishes, and follows them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { type EventsAnswer, eventsQuery, MOST_WAIT_SECONDS } from '../../../streams/contract/events.ts';
import { printable, printableJson } from '../../../streams/names.ts';
import { Client, NO_ANSWER } from '../../client/client.ts';
import { findHttp } from '../support/address.ts';
import { type DeskOptions, deskCommand } from '../support/ask-node.ts';
import type { CliRun } from '../support/io.ts';
import { problemText } from '../support/problem-text.ts';
import { checkTyped } from '../support/typed.ts';

interface EventsOptions extends DeskOptions {
  readonly follow?: boolean;
  readonly kind?: string;
  readonly from?: string;
}

/** Less than a request may take (src/client/client.ts). */
const WAIT_SECONDS = Math.min(20, MOST_WAIT_SECONDS);
const AGAIN_MS = 1_000;

export function addEventCommands(program: Command, run: CliRun): void {
  deskCommand(program, 'events', 'the events that other systems are told, the oldest first')
    .option('--follow', 'go on with new ones; without --from only new ones')
    .option('--kind <kinds>', 'only these, with commas, such as transfer.*,promise.changed')
    .option('--from <seq|time>', 'behind a sequence of the stream, or from a moment such as 2026-11-24T09:15:00Z')
    .action(async (options: EventsOptions) => {
      const { kind, from, follow = false } = options;
      const begin = beginning(from, follow);
      const query = { ...begin, ...(kind === undefined ? {} : { kind }) };
      checkTyped(eventsQuery, query);
      const client = new Client([await findHttp(options.http, run.env)]);
      await show(client, run, { query, follow, json: options.json === true });
    });
}

function beginning(from: string | undefined, follow: boolean): { after?: string; from?: string } {
  if (from === undefined) return follow ? { from: new Date().toISOString() } : {};
  return /^\d+$/.test(from) ? { after: from } : { from };
}

async function show(
  client: Client,
  run: CliRun,
  { query, follow, json }: { query: Record<string, string>; follow: boolean; json: boolean },
): Promise<void> {
  let next = query;
  for (;;) {
    const text = new URLSearchParams({ ...next, ...(follow ? { wait: String(WAIT_SECONDS) } : {}) });
    const asked = await client.ask<EventsAnswer>('GET', `/v1/events?${text}`);
    if (asked.ok) {
      for (const event of asked.body.events)
        run.stdout.write(json ? printableJson(`${JSON.stringify(event)}\n`) : `${printable(line(event))}\n`);
      if (!follow && asked.body.events.length === 0) return;
      const { from: _, ...rest } = next;
      next = { ...rest, after: asked.body.next };
      continue;
    }
    const { status } = asked.problem;
    if (!follow || (status !== NO_ANSWER && status < 500)) {
      run.exitCode = 1;
      run.stderr.write(problemText(asked.problem));
      return;
    }
    await delay(AGAIN_MS);
  }
}

function line({ sequence, time, type, subject = '', id, data }: EventsAnswer['events'][number]): string {
  const kind = type.replace(/^holdfast\.|\.v1$/g, '');
  return `${sequence}  ${time}  ${kind}  ${subject}  ${id}  ${JSON.stringify(data)}`;
}
