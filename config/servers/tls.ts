/** TLS to the servers and to callers: which files belong together, and which faults no second try mends. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Secret } from './secret.ts';

/** What one side shows and trusts; PEM. */
export interface Certificates {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: Secret | undefined;
}

/** As the TLS of Node takes them; what is not given is left out. */
export function tlsOptionsOf({ ca, cert, key }: Certificates): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key.reveal() }),
  };
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Why these cannot be used; undefined if they can. */
export function certificateFault(certificates: Certificates): string | undefined {
  try {
    for (const text of [certificates.ca, certificates.cert]) {
      if (text === undefined) continue;
      // What is no certificate would be passed over in silence.
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

/** What TLS says is wrong, wherever in an error it stands; undefined if it is no fault of TLS. */
export function tlsFault(error: unknown): string | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = causeOf(each), depth++) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string' && CERTIFICATE_FAULTS.test(code)) return saidPlainly(code, each.message);
  }
  return undefined;
}

/** The words of OpenSSL name its source file; what they mean is shorter. */
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
