/** Turns a node's published address, HOST:PORT or (with TLS) https://HOST:PORT, into a base URL. */
export function baseUrl(address: string): string {
  const url = address.includes('://') ? address : `http://${address}`;
  return url.replace(/\/+$/, '');
}
