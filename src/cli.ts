/** The program `holdfast`: runs the command that it is called with, and ends with its exit code. */
import { runCli } from './cli/program.ts';

// A reader such as `head` that has seen enough closes the pipe: no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
});
process.stdout.write('', () => process.exit(exitCode));
