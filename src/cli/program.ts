/**
 * The command line maps its commands to their code, and each outcome to an exit code: 0 good, 1 failed, 2 wrong usage.
 */

import { Command, CommanderError } from 'commander';
import { SettingError } from '../../config/setting-forms.ts';
import { printable } from '../../streams/names.ts';
import { VERSION } from '../process/version.ts';
import { addEventCommands } from './commands/events.ts';
import { addItemCommands } from './commands/item.ts';
import { addNodeCommands } from './commands/node.ts';
import { addParkedCommands } from './commands/parked.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addQuarantineCommands } from './commands/quarantine.ts';
import { addReservationCommands } from './commands/reservation.ts';
import { addInspectionCommands } from './commands/retention.ts';
import { addStockCommands } from './commands/stock.ts';
import { addSupplyCommand } from './commands/supply.ts';
import { type CliIo, type CliRun, UsageError } from './support/io.ts';

const FAILED = 1;
const WRONG_USAGE = 2;

/** Runs a command and resolves with its exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const run: CliRun = { stdout: io.stdout, stderr: io.stderr, env: io.env, exitCode: 0 };
  try {
    await programOf(run).parseAsync(args, { from: 'user' });
    return run.exitCode;
  } catch (error) {
    return exitCodeOf(error, run);
  }
}

function programOf(run: CliRun): Command {
  const program = new Command('holdfast')
    .description('One stock for stores and web shop, and promises that hold.')
    .version(VERSION)
    .configureOutput({
      writeOut: (text) => run.stdout.write(text),
      writeErr: (text) => run.stderr.write(text),
      // Commander quotes an unknown option with its value, which may be a secret.
      outputError: (text, write) => write(text.replace(/(--[\w-]+)=[^']*/g, '$1=…')),
    })
    .showHelpAfterError('(--help says what is allowed)')
    .exitOverride();
  addNodeCommands(program, run);
  addStockCommands(program, run);
  addSupplyCommand(program, run);
  addItemCommands(program, run);
  addReservationCommands(program, run);
  addPolicyCommands(program, run);
  addEventCommands(program, run);
  addParkedCommands(program, run);
  addInspectionCommands(program, run);
  addQuarantineCommands(program, run);
  return program.addHelpText('after', '\nExit codes: 0 good, 1 failed, 2 wrong usage.');
}

function exitCodeOf(error: unknown, { stderr, env }: CliRun): number {
  // Commander has already printed the error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  const wrong = error instanceof SettingError || error instanceof UsageError;
  const message = error instanceof Error ? error.message : String(error);
  stderr.write(`${message.split('\n').map(printable).join('\n')}\n`);
  if (wrong) return WRONG_USAGE;
  if (env.HOLDFAST_LOG === 'debug' && error instanceof Error) stderr.write(`${error.stack}\n`);
  return FAILED;
}
