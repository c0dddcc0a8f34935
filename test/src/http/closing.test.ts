/** A closing server answers the requests that it has accepted, and then keeps no connection open. */
import { expect, it, vi } from 'vitest';
import { closeHttp } from '../../../src/http/server.ts';
import { front } from './front.ts';

it('closes a connection whose request was being answered when closing began, as soon as it is answered', async () => {
  const { app, stock } = front();
  let taken: () => void = () => undefined;
  let answer: () => void = () => undefined;
  const isTaken = new Promise<void>((resolve) => {
    taken = resolve;
  });
  const atp = stock.atp.bind(stock);
  stock.atp = async (request) => {
    taken();
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return atp(request);
  };
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const asked = fetch(`${url}/v1/atp/85123A`);
  await isTaken;
  const all = vi.spyOn(app.server, 'closeAllConnections');
  const closed = closeHttp(app);
  answer();
  expect((await asked).status).toBe(200);
  await closed;
  // The connection became idle and was closed for that reason, not because the wait for late answers ended.
  expect(all).not.toHaveBeenCalled();
});

it('does not wait for ever for an answer that never comes', async () => {
  const { app, stock } = front();
  let taken: () => void = () => undefined;
  const isTaken = new Promise<void>((resolve) => {
    taken = resolve;
  });
  stock.atp = () => {
    taken();
    return new Promise(() => undefined);
  };
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const asked = fetch(`${url}/v1/atp/85123A`);
  const refused = expect(asked).rejects.toThrow();
  await isTaken;
  await closeHttp(app);
  await refused;
});
