/** Shared code of the desk commands: their options, the request to a node, and the output of its answer or problem. */
import type { Command } from 'commander';
import { printableJson } from '../../../streams/names.ts';
import { type Asked, Client } from '../../client/client.ts';
import { findHttp } from './address.ts';
import type { CliRun } from './io.ts';
import { problemText } from './problem-text.ts';

export interface DeskOptions {
  readonly http?: string;
  readonly json?: boolean;
}

/** Adds the options that every desk command takes. */
export function deskCommand(parent: Command, name: string, description: string, isDefault = false): Command {
  return parent
    .command(name, { isDefault })
    .description(description)
    .option(
      '--http <host:port>',
      'the node to ask (HOLDFAST_HTTP); without it a running `up`, else a node found over NATS',
    )
    .option('--json', "print the node's answer as JSON");
}

/** Asks a node and prints its answer. A problem sets exit code 1. */
export async function askDesk<T>(
  run: CliRun,
  options: DeskOptions,
  ask: (client: Client) => Promise<Asked<T>>,
  print: (body: T) => string,
): Promise<void> {
  const asked = await ask(new Client([await findHttp(options.http, run.env)]));
  if (!asked.ok) run.exitCode = 1;
  if (options.json === true)
    run.stdout.write(printableJson(`${JSON.stringify(asked.ok ? asked.body : asked.problem)}\n`));
  else if (asked.ok) run.stdout.write(print(asked.body));
  else run.stderr.write(problemText(asked.problem));
}
