/** Webhooks: where events are sent by HTTP POST, by the Standard Webhooks specification. */
import { z } from 'zod';
import type { Read } from '../messages.ts';
import { kindPattern } from './events.ts';

const ID_RULE = 'must be 1 to 64 characters of A–Z a–z 0–9 _ -';
export const webhookParams = z.object({ id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, { error: ID_RULE }) });

const URL_RULE = 'must be a URL of at most 2048 characters without a user, such as https://erp.example/holdfast';
export const webhookBody = z
  .object(
    {
      url: z
        .string({ error: URL_RULE })
        .max(2_048, { error: URL_RULE })
        .refine((text) => isUrl(text), { error: URL_RULE })
        .meta({ description: 'https, and not a private address unless the operator allows these' }),
      kinds: z
        .array(kindPattern, { error: 'must be a list of kinds' })
        .min(1, { error: 'must name at least one kind' })
        .max(20, { error: 'must name at most 20 kinds' })
        .default(['*'])
        .meta({ description: 'kinds of events, such as promise.*; all unless given' }),
    },
    { error: 'must be an object with url' },
  )
  .meta({ id: 'WebhookRequest' });

export const webhookAnswer = z
  .object({
    id: z.string(),
    url: z.string(),
    kinds: z.array(z.string()),
    state: z.enum(['active', 'disabled']),
    createdAt: z.string(),
    failingSince: z.string().nullable().meta({ description: 'since when the present event cannot be delivered' }),
    disabled: z
      .object({ why: z.string(), at: z.string() })
      .nullable()
      .meta({ description: 'PUT makes it active again' }),
    oldSecretUntil: z.string().nullable().meta({ description: 'until when the secret before signs as well' }),
    secret: z.string().optional().meta({ description: 'only when it is new: whsec_ and base64' }),
  })
  .meta({ id: 'Webhook' });
export const webhooksAnswer = z.object({ webhooks: z.array(webhookAnswer), next: z.null() }).meta({ id: 'Webhooks' });
export const webhookRemoved = z.object({ id: z.string(), known: z.boolean() }).meta({ id: 'WebhookRemoved' });

export type WebhookAnswer = Read<z.output<typeof webhookAnswer>>;
export type WebhookBody = Read<z.output<typeof webhookBody>>;

function isUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}
