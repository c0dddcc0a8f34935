/** The address of a node as it publishes it, HOST:PORT or https://HOST:PORT where it speaks TLS, as the beginning of a URL. */
export function baseUrl(address: string): string {
  const url = address.includes('://') ? address : `http://${address}`;
  return url.replace(/\/+$/, '');
}
