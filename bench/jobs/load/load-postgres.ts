/**
 * PostgreSQL as a peer: a conditional update and the insert of the reservation in one transaction, with fsync on. `one` uses one statement
 * and one round trip, which is the fastest form. `four` uses begin, update, insert and commit.
 */
import pg from 'pg';
import { closedLoop, type LoadOptions, type LoadResult, type Outcome } from '../../closed-loop.ts';
import { freshId, skuName } from '../requests.ts';

export interface PostgresLoad extends LoadOptions {
  readonly url: string;
  readonly skus: number;
  readonly form: 'one' | 'four';
}

const ONE = {
  name: 'reserve',
  text: `WITH taken AS (UPDATE stock SET available = available - 1 WHERE sku = $1 AND available >= 1 RETURNING sku)
    INSERT INTO reservation (id, sku, qty, expires_at) SELECT $2, sku, 1, now() + interval '900 s' FROM taken`,
};
const UPDATE = { name: 'take', text: 'UPDATE stock SET available = available - 1 WHERE sku = $1 AND available >= 1' };
const INSERT = {
  name: 'record',
  text: `INSERT INTO reservation (id, sku, qty, expires_at) VALUES ($1, $2, 1, now() + interval '900 s')`,
};

/** Creates the tables with stock of this many SKUs. Returns the server's version. */
export async function preparePostgres(options: { url: string; skus: number; units: number }): Promise<string> {
  const client = new pg.Client(options.url);
  await client.connect();
  await client.query(`CREATE TABLE stock (sku text PRIMARY KEY, available bigint NOT NULL);
    CREATE TABLE reservation (id text PRIMARY KEY, sku text NOT NULL, qty bigint NOT NULL, expires_at timestamptz NOT NULL)`);
  const names = Array.from({ length: options.skus }, (_, number) => skuName(number));
  await client.query('INSERT INTO stock SELECT unnest($1::text[]), $2', [names, options.units]);
  const fsync = await client.query('SELECT current_setting($1) AS fsync, current_setting($2) AS version', [
    'fsync',
    'server_version',
  ]);
  await client.end();
  const { fsync: on, version } = fsync.rows[0] as { fsync: string; version: string };
  if (on !== 'on') throw new Error('PostgreSQL runs without fsync');
  return version;
}

export async function loadPostgres(options: PostgresLoad): Promise<LoadResult> {
  const clients = Array.from({ length: options.callers }, () => new pg.Client(options.url));
  await Promise.all(clients.map((client) => client.connect()));
  let turn = 0;
  const result = await closedLoop(options, async (number): Promise<Outcome> => {
    turn = (turn + 1) % options.skus;
    const client = clients[number] as pg.Client;
    const rows = await (options.form === 'one' ? inOne : inFour)(client, skuName(turn));
    return rows === 1 ? 'done' : 'refused';
  });
  await Promise.all(clients.map((client) => client.end()));
  return result;
}

async function inOne(client: pg.Client, sku: string): Promise<number> {
  return (await client.query({ ...ONE, values: [sku, freshId()] })).rowCount ?? 0;
}

async function inFour(client: pg.Client, sku: string): Promise<number> {
  await client.query('BEGIN');
  const taken = (await client.query({ ...UPDATE, values: [sku] })).rowCount ?? 0;
  if (taken === 1) await client.query({ ...INSERT, values: [freshId(), sku] });
  await client.query('COMMIT');
  return taken;
}
