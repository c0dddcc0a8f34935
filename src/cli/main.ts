/** The entry point of `holdfast`. Runs the command on its command line and exits with the command's exit code. */
import { shownAddress } from '../../config/servers/secret.ts';
import { runCli } from './program.ts';

// Every user of the machine can list command lines, so addresses in this one are shown without their login from here on.
const LOGIN = /[a-z][a-z0-9+.-]*:\/\/.*@.*/is;
if (process.argv.some((word) => LOGIN.test(word)))
  process.title = process.argv.map((word) => word.replace(LOGIN, shownAddress)).join(' ');

// A reader such as `head` closes the pipe when it has read enough, which is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
});
process.stdout.write('', () => process.exit(exitCode));
