/** The requests that the bench sends. Every id is new. */
const HEX_TIME = Date.now().toString(36);
let count = 0;

export function freshId(): string {
  count += 1;
  return `b${process.pid.toString(36)}-${HEX_TIME}-${String(count).padStart(8, '0')}`;
}

/** With one SKU in use, number 0 is the hot one. */
export function skuName(number: number): string {
  return `SKU-${String(number).padStart(6, '0')}`;
}

export function placeBody(sku: string): string {
  return `{"id":"${freshId()}","channel":"web","purpose":"order","ttlSeconds":900,"lines":[{"sku":"${sku}","qty":1}]}`;
}
