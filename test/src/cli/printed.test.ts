/** No secret is ever printed. Every program runs with secrets in all settings that hold one, and all its output is searched. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { Secret } from '../../../config/servers/secret.ts';
import { SETTINGS, type SettingName } from '../../../config/settings.ts';
import { UpProcess } from '../../../harness/processes/up-process.ts';
import {
  type AskingNats,
  type AskingRedis,
  certificate,
  type Env,
  natsWithNkey,
  natsWithOperator,
  natsWithUser,
  redisWithPassword,
  SECRET,
  secretFile,
} from '../../../harness/servers/logins.ts';
import { freshFolder } from '../../../harness/servers/servers.ts';
import { runCli } from '../../../src/cli/program.ts';

let nats: AskingNats;
let redis: AskingRedis;
let operator: AskingNats;
let nkey: AskingNats;
/** Texts that must not be in the output. */
const needles = [SECRET];

beforeAll(async () => {
  [nats, redis, operator, nkey] = await Promise.all([
    natsWithUser(),
    redisWithPassword(),
    natsWithOperator(),
    natsWithNkey(),
  ]);
  for (const file of [operator.login.NATS_CREDS_FILE, nkey.login.NATS_NKEY_FILE])
    needles.push(...(/SU[A-Z2-7]{56}/.exec(readFileSync(file ?? '', 'utf8')) ?? []));
  expect(needles).toHaveLength(3);
});

function searched(output: string, where: string): void {
  expect(output, where).not.toBe('');
  for (const needle of needles) expect(output.includes(needle), `${where} prints a secret:\n${output}`).toBe(false);
}

const KEY = `${SECRET} by which snapshots are signed`;
const common = () => ({
  HOLDFAST_LOG: 'debug',
  HOLDFAST_LEASE: '5s',
  HOLDFAST_PARTITIONS: '16',
  HOLDFAST_SNAPSHOT_KEY: KEY,
  HOLDFAST_DATA: freshFolder('data'),
});
const user = (scheme: string, ...hosts: string[]) =>
  hosts.map((host) => `${scheme}://user:${SECRET}@${host}`).join(',');
const monitor = { NATS_MONITOR_URL: user('http', '127.0.0.1:1', '127.0.0.1:2') };

/** Each world holds a secret in every setting that can be combined with the others. */
const worlds: Record<string, () => Env> = {
  'servers that are away': () => ({
    ...monitor,
    NATS_URL: user('nats', '127.0.0.1:1', '127.0.0.1:2'),
    REDIS_URL: `redis+sentinel://user:${SECRET}@127.0.0.1:1,127.0.0.1:2/stock`,
    REDIS_SENTINEL_PASSWORD: SECRET,
  }),
  'servers that are away, and ask for TLS': () => ({
    ...monitor,
    NATS_URL: 'tls://127.0.0.1:1',
    NATS_USER: 'user',
    NATS_PASSWORD: SECRET,
    NATS_CA_FILE: certificate('ca.pem'),
    REDIS_URL: user('rediss+cluster', '127.0.0.1:1'),
  }),
  'servers without the TLS that is asked for': () => ({
    ...monitor,
    NATS_URL: user('tls', `127.0.0.1:${nats.server.port}`),
    REDIS_URL: user('rediss', `127.0.0.1:${redis.server.port}`),
  }),
  'servers that refuse the login': () => ({
    ...monitor,
    NATS_URL: user('nats', `127.0.0.1:${nats.server.port}`),
    REDIS_URL: user('redis', `127.0.0.1:${redis.server.port}`),
  }),
  'a NATS that refuses the token': () => ({ NATS_URL: nats.url, NATS_TOKEN: SECRET, ...redis.login }),
  'a NATS that refuses the NKey': () => ({ ...nkey.login, NATS_URL: nats.url, ...redis.login }),
  'a NATS that refuses the credentials': () => ({ ...operator.login, NATS_URL: nats.url, ...redis.login }),
  'a seed that is none': () => ({ NATS_NKEY_FILE: secretFile(`${needles[2]?.slice(0, -1)}Z`), ...redis.login }),
};

const COMMANDS = [
  ['doctor'],
  ['verify'],
  ['baseline'],
  ['trim'],
  ['stock', 'A'],
  ['supply', 'A'],
  ['explain', 'A', 'dc'],
  ['reserve', '--id', 'r', '--line', 'A=1'],
  ['confirm', 'r'],
  ['release', 'r'],
  ['parked', 'list'],
  ['parked', 'resubmit', '1'],
];

/** The whole output of a command, with its exit code. */
async function run(args: readonly string[], env: Env): Promise<{ code: number; output: string }> {
  let output = '';
  const write = (text: string) => {
    output += text;
    return true;
  };
  const io = { stdout: { write }, stderr: { write } as unknown as NodeJS.WritableStream, env };
  return { code: await runCli(args, io), output };
}

describe.concurrent('nothing that is printed holds a secret', () => {
  it.each(Object.keys(worlds))('by any command, with %s', async (name) => {
    const deps = { ...common(), ...worlds[name]?.() };
    // An address without a node, so that the test does not reach one running at the usual address.
    const env = { ...deps, HOLDFAST_HTTP: '127.0.0.1:1' };
    const facts = join(freshFolder('facts'), 'facts.json');
    writeFileSync(facts, '');
    await Promise.all(
      [...COMMANDS, ['replay', facts]].map(async (args) => {
        const { output, code } = await run(args, env);
        searched(output, `${args.join(' ')}, with ${name}`);
        if (args[0] !== 'replay') expect(code, `${args.join(' ')}: ${output}`).toBe(1);
      }),
    );
    // This command first looks for a node on NATS.
    searched((await run(['atp', 'A'], deps)).output, `atp A, with ${name}`);
  });

  const processes = [
    'servers that are away',
    'servers without the TLS that is asked for',
    'a NATS that refuses the token',
  ];

  it.each(processes)('by a node, with %s', async (name) => {
    const node = new UpProcess('', {
      command: ['node'],
      env: { ...common(), HOLDFAST_HTTP: '127.0.0.1:0', ...worlds[name]?.() },
    });
    expect((await node.ended).code, node.output).toBe(1);
    searched(node.output, `node, with ${name}`);
    expect(node.output).toMatch(
      /NATS at (nats|tls):\/\/(…@)?127\.0\.0\.1|the seed in NATS_CREDS_FILE or NATS_NKEY_FILE/,
    );
  });

  it('by a node and by `up` that serve, nor by what they answer', async () => {
    const env = {
      ...common(),
      ...nats.login,
      ...redis.login,
      NATS_MONITOR_URL: `${user('http', '127.0.0.1:1')},${nats.login.NATS_MONITOR_URL}`,
    };
    const { NATS_URL = '', REDIS_URL = '', ...others } = env as Record<string, string>;
    const http = ['--http', '127.0.0.1:0'];
    const node = new UpProcess('', {
      command: ['node', '--nats', NATS_URL, `--redis=${REDIS_URL}`, ...http],
      env: { ...others, HOLDFAST_NAME: 'node' },
    });
    await node.says('HTTP listens');
    if (process.platform === 'linux')
      searched(readFileSync(`/proc/${node.pid}/cmdline`, 'utf8'), 'the list of processes');
    const up = new UpProcess(env.HOLDFAST_DATA, { env: { ...env, HOLDFAST_NAME: 'up' } });
    await up.says('Holdfast is up');
    searched(readFileSync(join(env.HOLDFAST_DATA, 'run.json'), 'utf8'), 'run.json');
    for (const path of ['/readyz', '/metrics', '/v1/system', '/openapi.json', '/v1/kpi', '/v1/atp/A', '/v1/parked'])
      searched(await (await fetch(up.url + path)).text(), path);
    for (const args of COMMANDS) searched((await run(args, env)).output, args.join(' '));
    const doctor = await run(['doctor'], env);
    expect(doctor.output).toMatch(/NATS .* at nats:\/\/…@127\.0\.0\.1:\d+/);
    for (const each of [up, node]) {
      each.signal('SIGTERM');
      expect((await each.ended).code).toBe(0);
      searched(each.output, 'the log');
    }
  });
});

describe('a wrong setting is named, and never printed if it holds a secret', () => {
  const ADDRESSES = [
    SECRET,
    `x://u:${SECRET}@h`,
    `u:${SECRET}@h`,
    `redis://u:${SECRET}`,
    `nats://u:${SECRET}`,
    `http:///${SECRET}@`,
  ];
  const wrong: readonly (readonly [SettingName, string])[] = (Object.keys(SETTINGS) as SettingName[]).flatMap((name) =>
    ({
      plain: [],
      address: [
        ...ADDRESSES,
        `nats://a,tls://u:${SECRET}@b`,
        `redis://h/${SECRET}?${SECRET}`,
        `redis://u:${SECRET},@${SECRET}@h:x`,
      ],
      secret: [`${SECRET}\u0007`],
      content: [SECRET],
    })[SETTINGS[name].kind].map((value) => [name, value] as const),
  );

  it.each(wrong)('%s', (name, value) => {
    const { env, kind } = SETTINGS[name];
    const says = (given: Env) => {
      try {
        loadSettings({}, given);
        return undefined;
      } catch (error) {
        return inspect(error, { depth: 9 });
      }
    };
    const path = secretFile(value);
    const byFile = says({ [`${env}_FILE`]: path });
    expect(byFile).toContain(`${env}_FILE is "${path}", but must be `);
    searched(byFile ?? '', `${env}_FILE`);
    if (kind === 'content') return;
    const said = says({ [env]: value });
    expect(said).toMatch(new RegExp(`${env} is "[^"]*…?[^"]*", but must be `));
    searched((said ?? '').replace(/redis:\/\/h\/[^?"]*/, ''), env);
  });

  it('nor by a config file that is no JSON, an option that does not exist, or two ways at once', async () => {
    const config = secretFile(`{"natsToken":"${SECRET}" "x":1}`);
    const file = secretFile(SECRET);
    const cases: readonly (readonly [readonly string[], Env, RegExp])[] = [
      [['doctor', '--config', config], {}, /cannot be read: it is no JSON/],
      [['doctor', `--nats-password=${SECRET}`], {}, /unknown option '--nats-password=…/],
      [
        ['doctor'],
        { NATS_TOKEN: SECRET, NATS_TOKEN_FILE: file },
        /NATS_TOKEN and NATS_TOKEN_FILE are both given; give one of them/,
      ],
      [['doctor'], { NATS_TOKEN: SECRET, NATS_URL: `nats://${SECRET}@h` }, /are both given, but one way to log in/],
      [['doctor'], { NATS_PASSWORD: SECRET }, /NATS_PASSWORD is given without NATS_USER/],
      [
        ['doctor'],
        { NATS_TOKEN_FILE: '/nowhere/token' },
        /NATS_TOKEN_FILE is "\/nowhere\/token", but that file cannot be read \(ENOENT\)/,
      ],
      [
        ['doctor'],
        { HOLDFAST_SNAPSHOT_KEY: SECRET },
        /HOLDFAST_SNAPSHOT_KEY is "…", but must be text of at least 32 bytes/,
      ],
      [
        ['doctor'],
        { NATS_CA_FILE: certificate('ca.pem') },
        /NATS_URL is ".*", but must begin with tls:\/\/ when NATS_CA_FILE is given/,
      ],
      [
        ['doctor'],
        { HOLDFAST_TLS_CERT_FILE: certificate('server.pem') },
        /HOLDFAST_TLS_CERT_FILE is given without HOLDFAST_TLS_KEY_FILE/,
      ],
      [
        ['doctor'],
        { HOLDFAST_TLS_CERT_FILE: certificate('server.pem'), HOLDFAST_TLS_KEY_FILE: certificate('client.key') },
        /HOLDFAST_TLS_CERT_FILE and HOLDFAST_TLS_KEY_FILE do not belong to each other/,
      ],
    ];
    for (const [args, env, says] of cases) {
      const { code, output } = await run(args, env);
      expect(output).toMatch(says);
      expect(code).toBe(2);
      searched(output, args.join(' '));
    }
  });

  it('a secret has a stand-in however it is written', () => {
    const secret = new Secret(SECRET);
    for (const text of [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: 9 }),
    ])
      searched(text, 'Secret');
    expect(secret.reveal()).toBe(SECRET);
  });
});
