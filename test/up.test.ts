/** `holdfast up` as a person runs it: when it says that it is up, what a second run starts from, and how a signal ends it. */
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { ask } from './fixtures/http-caller.ts';
import { freshFolder, freshNats } from './fixtures/servers.ts';
import { UpProcess } from './fixtures/up-process.ts';

it('says that it is up when it serves, not before', async () => {
  const up = new UpProcess(freshFolder('up'));
  let asked: Promise<number> | undefined;
  up.onOutput = (output) => {
    if (output.includes('Holdfast is up.') && output.includes('live page'))
      asked ??= ask(up.url, 'GET', '/readyz').then(({ status }) => status);
  };
  await up.says('Holdfast is up.');
  expect(await asked).toBe(200);
  expect(await up.stop()).toEqual({ code: 0, signal: null });
}, 60_000);

it('says why it does not serve, and a signal ends it all the same', async () => {
  const [nats, data] = [await freshNats(), freshFolder('up')];
  const env = { NATS_URL: nats.url, NATS_MONITOR_URL: nats.monitorUrl ?? '' };
  const first = new UpProcess(data, { env });
  await first.says('Holdfast is up.');
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  const connection = await connect({ servers: nats.url });
  await (await jetstreamManager(connection)).streams.delete('JOURNAL');
  await connection.close();
  const second = new UpProcess(data, { env });
  await second.says(/Holdfast does not serve yet: .*JOURNAL/);
  expect(second.output).not.toContain('Holdfast is up.');
  expect((await ask(second.url, 'GET', '/readyz')).status).toBe(503);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
}, 90_000);
