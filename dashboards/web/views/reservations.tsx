/**
 * The live reservations of a SKU: who claims it, where, and until when. They are read again when its held or allocated units
 * change.
 */
import { useEffect } from 'preact/hooks';
import type { StockTopic } from '../../topics.ts';
import { plural, span, time, units } from '../base/format.ts';
import { nowMs } from '../base/now.ts';
import { useTopic } from '../data/topics.ts';
import { useAnswer } from '../data/use-answer.ts';
import { Empty, Failed, Loading } from '../parts/condition.tsx';

interface Claim {
  readonly id: string;
  readonly status: string;
  readonly channel: string;
  readonly purpose: string;
  readonly qty: number;
  readonly location: string;
  readonly grantedAt: string;
  readonly expiresAt: string | null;
}

const SHOWN = 100;
/** Wait before reading again after a change, so that many claims in a row cause one request. */
const PAUSE_MS = 1_000;

export function Reservations({ sku }: { readonly sku: string }) {
  const { answer, failed, again } = useAnswer<{ claims: Claim[] }>(`/v1/claims?${new URLSearchParams({ sku })}`);
  const stock = useTopic<StockTopic>('stock', sku)?.data.locations;
  const claimed = stock?.map(({ held, allocated }) => `${held}+${allocated}`).join();
  // A change of the claimed units means that the list has changed.
  useEffect(() => {
    const pause = setTimeout(again, PAUSE_MS);
    return () => clearTimeout(pause);
  }, [claimed]);
  const list = answer?.claims;
  return (
    <section class="panel">
      <header>
        <h2>Live reservations</h2>
        <p class="now">{list !== undefined && plural(list.length, 'reservation')}</p>
      </header>
      {failed !== undefined ? (
        <Failed failed={failed} what="reservations" again={again} />
      ) : list === undefined ? (
        <Loading what="the reservations" />
      ) : list.length === 0 ? (
        <Empty icon="info">Nothing of this SKU is reserved.</Empty>
      ) : (
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">Reservation</th>
              <th scope="col">Status</th>
              <th scope="col" class="right">
                Units
              </th>
              <th scope="col">Location</th>
              <th scope="col">For</th>
              <th scope="col">Since</th>
              <th scope="col">Ends</th>
            </tr>
          </thead>
          <tbody>
            {list.slice(0, SHOWN).map((claim) => (
              <tr key={`${claim.id} ${claim.location}`}>
                <th scope="row" class="code">
                  {claim.id}
                </th>
                <td data-label="Status">
                  <span class={`swatch ${claim.status}`} aria-hidden="true" /> {claim.status}
                </td>
                <td class="right num" data-label="Units">
                  {units(claim.qty)}
                </td>
                <td data-label="Location">{claim.location}</td>
                <td data-label="For">
                  {claim.purpose}, {claim.channel}
                </td>
                <td class="num" data-label="Since">
                  {time(claim.grantedAt)}
                </td>
                <td class="num" data-label="Ends">
                  {claim.expiresAt === null ? 'when it is fulfilled' : left(claim.expiresAt, nowMs.value)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function left(expiresAt: string, now: number): string {
  const seconds = (Date.parse(expiresAt) - now) / 1_000;
  return seconds > 0 ? `in ${span(seconds)}` : 'now';
}
