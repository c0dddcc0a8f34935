/** The program `holdfast`: runs the command that it is called with, and ends with its exit code. */
import { shownAddress } from '../../config/servers/secret.ts';
import { runCli } from './program.ts';

// Everybody on the machine can list command lines. From here on, this one is listed without what an address on it holds.
const LOGIN = /[a-z][a-z0-9+.-]*:\/\/.*@.*/is;
if (process.argv.some((word) => LOGIN.test(word)))
  process.title = process.argv.map((word) => word.replace(LOGIN, shownAddress)).join(' ');

// A reader such as `head` that has seen enough closes the pipe: no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
});
process.stdout.write('', () => process.exit(exitCode));
