/** What is wrong with a file as a whole. Errors of the system and of libraries are put into words here. */

/** The file cannot be read, or not to its end. The message says which file and what is wrong. */
export class ReadError extends Error {
  override readonly name = 'ReadError';
}

/** Says what is wrong with a file, so that the message begins with its name. Throws an error that is a bug of this program. */
export function readError(file: string, error: unknown): ReadError {
  if (!(error instanceof FileFault) && (error as NodeJS.ErrnoException).code === undefined) throw error;
  return new ReadError(`${file} ${saying(error)}`, { cause: error });
}

/** A fault of the file, in words that follow its name. */
export class FileFault extends Error {
  override readonly name = 'FileFault';
}

function saying(error: unknown): string {
  if (error instanceof FileFault) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EISDIR') return 'is a folder; name the files in it';
  if (code === 'EACCES') return 'may not be read by this user';
  if (code?.startsWith('Z_') === true) return `is damaged or cut short: gzip says "${message}"`;
  return `cannot be read: ${message}`;
}
