/** The files in a zip archive, one after the other. This is the one file that imports yauzl. */
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { FileFault } from './errors.ts';

/** An archive with more files is refused before any is read. */
const MOST_FILES = 10_000;
/** Files that systems add to archives of their own accord. */
const ADDED = /^__MACOSX\/|(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)$/;
const WORKBOOK = /^(\[Content_Types\]\.xml|mimetype)$/;

/** Yields the files in the order of the archive's own list. A file must be read to its end before the next one. */
export async function* filesInZip(path: string): AsyncGenerator<{ name: string; bytes: AsyncGenerator<Uint8Array> }> {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false }).catch(damaged);
  try {
    const entries = await listOf(zip);
    if (entries.some(({ fileName }) => WORKBOOK.test(fileName)))
      throw new FileFault('is a workbook of a spreadsheet. Save its sheet as CSV in UTF-8');
    const files = entries.filter(({ fileName }) => !fileName.endsWith('/') && !ADDED.test(fileName));
    if (files.length === 0) throw new FileFault('is a zip archive without a file');
    for (const entry of files) yield { name: `${path}/${entry.fileName}`, bytes: bytesOf(zip, entry) };
  } finally {
    zip.close();
  }
}

async function listOf(zip: ZipFile): Promise<Entry[]> {
  if (zip.entryCount > MOST_FILES) throw new FileFault(`is a zip archive of more than ${MOST_FILES} files`);
  const entries: Entry[] = [];
  try {
    for await (const entry of zip.eachEntry()) entries.push(entry);
  } catch (error) {
    damaged(error);
  }
  return entries;
}

async function* bytesOf(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  if (entry.isEncrypted()) throw new FileFault('is encrypted. Unpack it with its password');
  if (!entry.canDecodeFileData())
    throw new FileFault(`is packed by method ${entry.compressionMethod} of zip. Unpack it`);
  let checksum = 0;
  try {
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      checksum = crc32(chunk as Uint8Array, checksum);
      yield chunk as Uint8Array;
    }
    if (checksum !== entry.crc32) throw new Error('its checksum is wrong');
  } catch (error) {
    damaged(error);
  }
}

function damaged(error: unknown): never {
  throw new FileFault(`is damaged or cut short: zip says "${(error as Error).message}"`);
}
