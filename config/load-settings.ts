/** Loads the settings. Flags override the environment, which overrides the config file, which overrides defaults. */
import { closeSync, openSync, readSync } from 'node:fs';
import { checkTogether } from './servers/logins.ts';
import { Secret, shownAddress } from './servers/secret.ts';
import { SettingError } from './setting-forms.ts';
import {
  type Env,
  optionsOf,
  SETTING_NAMES,
  SETTINGS,
  type SettingFlags,
  type SettingName,
  type Settings,
} from './settings.ts';

/**
 * All settings, checked. Throws a SettingError.
 * @param flags values from the command line, by setting name
 * @param env the environment, such as process.env. HOLDFAST_CONFIG names the config file unless `flags.config` does
 */
export function loadSettings(flags: SettingFlags, env: Env): Settings {
  const file = readConfigFile(flags.config ?? env.HOLDFAST_CONFIG);
  const settings: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const { schema, fallback } = SETTINGS[name];
    const given = find(name, flags, env, file);
    if (given === undefined && fallback === undefined) continue;
    const result = schema.safeParse(given === undefined ? fallback : given.value);
    if (!result.success) {
      const { source, shown } = given ?? { source: name, shown: fallback };
      throw new SettingError(`${source} is "${shown}", but must be ${result.error.issues[0]?.message}`);
    }
    settings[name] = result.data;
  }
  const wrong = checkTogether(settings as Settings);
  if (wrong !== undefined) throw new SettingError(wrong);
  return settings as Settings;
}

/** True if a setting was given by flag, environment or config file. */
export function isGiven(name: SettingName, flags: SettingFlags, env: Env): boolean {
  return levelOf(name, flags, env, readConfigFile(flags.config ?? env.HOLDFAST_CONFIG)) !== undefined;
}

interface Level {
  readonly value: string | undefined;
  /** Path of the file that holds the value. */
  readonly path: string | undefined;
  readonly source: string;
  readonly fileSource: string;
}

/** The first of flags, environment and config file that gives the setting. */
function levelOf(
  name: SettingName,
  flags: SettingFlags,
  env: Env,
  file: Record<string, unknown> | undefined,
): Level | undefined {
  const { env: variable, flag, kind } = SETTINGS[name];
  const text = (value: unknown) => (value === undefined || value === '' ? undefined : String(value));
  const inFile = (key: string) => (file?.[key] === undefined ? undefined : String(file[key]));
  const levels: Level[] = [
    { value: flags[name], path: flags[`${name}File`], source: flag, fileSource: `${flag}-file` },
    {
      value: text(env[variable]),
      path: text(env[`${variable}_FILE`]),
      source: variable,
      fileSource: `${variable}_FILE`,
    },
    {
      value: inFile(name),
      path: inFile(`${name}File`),
      source: `${name} in the config file`,
      fileSource: `${name}File in the config file`,
    },
  ];
  return levels
    .map((level) => ({
      ...level,
      ...(kind === 'plain' ? { path: undefined } : {}),
      ...(kind === 'content' ? { value: undefined } : {}),
    }))
    .find(({ value, path }) => value !== undefined || path !== undefined);
}

function find(name: SettingName, flags: SettingFlags, env: Env, file: Record<string, unknown> | undefined) {
  const level = levelOf(name, flags, env, file);
  if (level === undefined) return undefined;
  const { value, path, source, fileSource } = level;
  if (path === undefined) return { value, source, shown: shown(name, value ?? '') };
  if (value !== undefined) throw new SettingError(`${source} and ${fileSource} are both given; give one of them`);
  return { value: readValueFile(path, fileSource), source: fileSource, shown: path };
}

/** A wrong value as an error may show it. */
function shown(name: SettingName, value: string): string {
  const { kind } = SETTINGS[name];
  if (kind === 'plain') return value;
  return kind === 'address' ? shownAddress(value) : String(new Secret(value));
}

/** Fits a bundle of certificates, the largest file that a setting names. */
const FILE_BYTES = 1024 * 1024;

/** Bounds the read, because a device file may never end. */
function readAtMost(path: string, most: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(most);
    let length = 0;
    for (let read = -1; read !== 0 && length < most; length += read)
      read = readSync(file, bytes, length, most - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** The text of a file, without the line end that editors and `echo` leave. */
function readValueFile(path: string, source: string): string {
  let bytes: Buffer;
  try {
    bytes = readAtMost(path, FILE_BYTES + 1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingError(`${source} is "${path}", but that file cannot be read (${code})`);
  }
  if (bytes.length > FILE_BYTES)
    throw new SettingError(`${source} is "${path}", but that file holds more than ${FILE_BYTES / 1024} KiB`);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes))
    throw new SettingError(`${source} is "${path}", but that file does not hold text in UTF-8`);
  return text.replace(/(\r?\n)+$/, '');
}

function readConfigFile(path: string | undefined): Record<string, unknown> | undefined {
  if (path === undefined || path === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readAtMost(path, FILE_BYTES).toString('utf8'));
  } catch (error) {
    // Only the position, because the parser's message quotes the file, which may hold a secret.
    const why =
      error instanceof SyntaxError
        ? `it is no JSON${/ at position \d+/.exec(error.message)?.[0] ?? ''}`
        : (error as NodeJS.ErrnoException).code;
    throw new SettingError(`HOLDFAST_CONFIG is "${path}", but that file cannot be read: ${why}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SettingError(`HOLDFAST_CONFIG is "${path}", but must hold one JSON object of settings`);
  }
  const known = SETTING_NAMES.flatMap((name) => {
    const keys = optionsOf(name).map(({ key }) => key);
    return SETTINGS[name].kind === 'secret' ? [name, ...keys] : keys;
  });
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new SettingError(`${unknown} in the config file "${path}" is no setting; they are ${known.join(', ')}`);
  return value as Record<string, unknown>;
}
