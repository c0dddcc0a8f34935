/** Bodies beyond the limit, over real sockets. Their senders get the answer and not a broken pipe. */
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LIMITS } from '../../../config/limits.ts';
import { type Front, front } from './front.ts';

let it_: Front;
let url: string;
beforeAll(async () => {
  it_ = front();
  url = await it_.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => it_.app.close());

/** Sends 9 MB ten times from another process, which does not wait for this one between writes. Returns the result of each. */
async function sendFrom(body: string): Promise<string[]> {
  const script = `
    const bytes = Buffer.alloc(9_000_000, 0x20);
    for (let turn = 0; turn < 10; turn++) {
      try {
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(process.argv[1] + '/v1/facts', { method: 'POST', headers, ${body} });
        console.log(response.status, (await response.json()).type);
      } catch (error) {
        console.log(error.cause?.code ?? error.message);
      }
    }`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, url]);
  return stdout.trim().split('\n');
}

it.each([
  ['of a length that is told', 'body: bytes'],
  ['in chunks', "body: new Blob([bytes]).stream(), duplex: 'half'"],
])(
  'answers 413 to 9 MB %s, ten times over',
  async (_, body) => {
    expect(await sendFrom(body)).toEqual(Array.from({ length: 10 }, () => '413 too-large'));
  },
  60_000,
);

it('does not read for ever: at a bound the connection is cut', async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')));
  socket.on('error', () => undefined);
  const head = `POST /v1/facts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${2 ** 40}\r\n\r\n`;
  socket.write(head);
  const chunk = Buffer.alloc(1024 * 1024, 0x20);
  let sent = 0;
  const written = () =>
    new Promise<string>((resolve) => socket.write(chunk, (error) => resolve(error == null ? 'written' : 'cut')));
  while (sent < 4 * LIMITS.discardedBytes && (await Promise.race([written(), closed])) === 'written')
    sent += chunk.length;
  expect(await closed).toBe('closed');
  expect(sent).toBeGreaterThanOrEqual(LIMITS.discardedBytes);
  expect(sent).toBeLessThan(2 * LIMITS.discardedBytes);
}, 60_000);
