/** The forms in which an operator writes settings, each with the values it allows. */
import { z } from 'zod';
import { ANOMALY_DEFAULTS, type AnomalyParameters } from './anomalies.ts';
import { Secret, secretAddress } from './servers/secret.ts';
import { type Certificates, certificateFault } from './servers/tls.ts';

/** A wrong setting. The message is one sentence with the name, the value (never a secret's) and what is allowed. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

const HOST_PORT = /^(?:https?:\/\/)?(\[[0-9a-fA-F:]+\]|[^:\s/]+):(\d{1,5})$/;
export const hostPort = z.string().refine((text) => Number(HOST_PORT.exec(text)?.[2] ?? Number.NaN) <= 65_535, {
  error: 'HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one',
});
/** An address that may hold a user and a password. */
export const address = (isOne: (text: string) => boolean, error: string) =>
  z.string().refine(isOne, { error }).transform(secretAddress);
export const monitors = (text: string) =>
  text.split(',').every((each) => /^https?:\/\/[^\s/]/.test(each.trim()) && URL.canParse(each.trim()));
const SECRET_CHARACTERS = 4096;
/** Control characters are refused, because a file holds them only by mistake. */
export const secret = (least: number, error: string) =>
  z
    .string()
    .refine((text) => text.length <= SECRET_CHARACTERS, {
      error: `${error}, and at most ${SECRET_CHARACTERS} characters`,
    })
    .refine((text) => Buffer.byteLength(text) >= least && !/\p{Cc}/u.test(text), { error })
    .transform((text) => new Secret(text))
    .optional();
export const content = (error: string, fits: (text: string) => boolean) => z.string().refine(fits, { error });
export const certificate = content('a PEM file of certificates', (text) => fitsTls({ ca: text })).optional();
export const privateKey = (error: string, fits: (text: string) => boolean) =>
  content(error, fits)
    .transform((text) => new Secret(text))
    .optional();
export const pemKey = privateKey('a PEM file of a private key without a passphrase', (text) =>
  fitsTls({ key: new Secret(text) }),
);
export const fitsTls = (certificates: Certificates) => certificateFault(certificates) === undefined;
export const user = z.string().min(1, { error: 'a user name' }).optional();

export const whole = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION_RULE = 'a duration such as 500ms, 30s, 15m, 12h or 7d';

/** Milliseconds of a duration such as 7d; undefined if the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
export const duration = (min: string, max: string) => {
  const error = `${DURATION_RULE}, from ${min} to ${max}`;
  return z.string().transform((text, context) => {
    const ms = parseDuration(text);
    if (ms === undefined || ms < (parseDuration(min) ?? 0) || ms > (parseDuration(max) ?? 0)) {
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    }
    return ms;
  });
};

export const HORIZON_RULE = `off, or ${DURATION_RULE}, from 1m to 3650d`;
export const horizonSchema = z.union([z.literal('off').transform(() => null), duration('1m', '3650d')], {
  error: HORIZON_RULE,
});

/** Milliseconds of a horizon; null for `off`. Throws a SettingError. */
export function parseHorizon(text: string): number | null {
  const result = horizonSchema.safeParse(text);
  if (result.success) return result.data;
  throw new SettingError(`the horizon is "${text}", but must be ${HORIZON_RULE}`);
}

const PIECES_RULE = 'up to 12 words of 1 to 16 characters, with commas, such as EA,each,pc';
/** Words that say one piece, in lower case. They are few and short, because each change of the rules keeps them. */
export const piecesSchema = z
  .string()
  .transform((text) => text.split(',').map((each) => each.trim().toLowerCase()))
  .refine((words) => words.length <= 12 && words.every((each) => /^[^\p{Cc}]{1,16}$/u.test(each)), {
    error: PIECES_RULE,
  });

/** Throws a SettingError. */
export function parsePieces(text: string): readonly string[] {
  const result = piecesSchema.safeParse(text);
  if (result.success) return result.data;
  throw new SettingError(`one piece is "${text}", but must be ${PIECES_RULE}`);
}

const UNIT_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;
const SIZE_RULE = 'a size from 1MiB such as 512MiB, 4GiB or 1TiB, or off for no bound';
/** Bytes; undefined for `off`. */
export const size = z.string().transform((text, context) => {
  if (text === 'off') return undefined;
  const match = /^(\d{1,7})(KiB|MiB|GiB|TiB)$/.exec(text.trim());
  const bytes = match === null ? 0 : Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES];
  if (bytes >= UNIT_BYTES.MiB) return bytes;
  context.addIssue({ code: 'custom', message: SIZE_RULE });
  return z.NEVER;
});

/** Parameters from `name=value,name=value` over the defaults, or a text that says what is allowed. */
export function parseParameters(text: string): AnomalyParameters | string {
  const parameters: Record<string, number> = { ...ANOMALY_DEFAULTS };
  for (const part of text.split(',').map((each) => each.trim())) {
    if (part === '') continue;
    const [name = '', value = ''] = part.split('=').map((each) => each.trim());
    if (!Object.hasOwn(ANOMALY_DEFAULTS, name))
      return `name=value with names of ${Object.keys(ANOMALY_DEFAULTS).join(', ')}`;
    if (value === '' || !(Number(value) >= 0)) return `${name}= and a number from 0`;
    parameters[name] = Number(value);
  }
  return parameters as AnomalyParameters;
}
