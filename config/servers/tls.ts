/** TLS to servers and callers: whether certificates and keys can be used, and which faults a retry cannot fix. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Secret } from './secret.ts';

/** The certificates of one side, as PEM: `cert` is shown to the peer, and `ca` is trusted. */
export interface Certificates {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: Secret | undefined;
}

/** The certificates as options of node:tls, without those that are not given. */
export function tlsOptionsOf({ ca, cert, key }: Certificates): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key.reveal() }),
  };
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The reason why these cannot be used; undefined if they can. */
export function certificateFault(certificates: Certificates): string | undefined {
  try {
    for (const text of [certificates.ca, certificates.cert]) {
      if (text === undefined) continue;
      // node:tls would silently ignore a text without a certificate.
      const blocks = text.match(PEM_CERTIFICATE) ?? [''];
      for (const block of blocks) new X509Certificate(block);
    }
    createSecureContext({ ...tlsOptionsOf(certificates), minVersion: 'TLSv1.2' });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const CERTIFICATE_FAULTS =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH)/;

/** The TLS fault anywhere in an error's chain of causes; undefined if there is none. */
export function tlsFault(error: unknown): string | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = causeOf(each), depth++) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string' && CERTIFICATE_FAULTS.test(code)) return saidPlainly(code, each.message);
  }
  return undefined;
}

/** Replaces OpenSSL's message, which names its source file, by its meaning. */
function saidPlainly(code: string, message: string): string {
  if (/wrong version number|packet length too long/i.test(message)) return 'the server does not speak TLS';
  if (/certificate required|handshake failure|bad certificate/i.test(`${message} ${code.replaceAll('_', ' ')}`))
    return 'the server asks for a client certificate that it trusts';
  return message.length > 200 ? code : message;
}

function causeOf(error: Error): unknown {
  const { cause, originalError } = error as { cause?: unknown; originalError?: unknown };
  return cause ?? originalError;
}
