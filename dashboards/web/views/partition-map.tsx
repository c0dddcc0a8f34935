/**
 * Shows which node decides for which partition. Each partition is a cell with its node's letter, so it can be read without
 * colours.
 */
import type { SystemTopic } from '../../topics.ts';
import { plural } from '../base/format.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const HUES = 8;

export function PartitionMap({ system }: { readonly system: SystemTopic }) {
  const names = [
    ...new Set([...system.nodes.map(({ name }) => name), ...system.owners.flatMap((owner) => owner?.node ?? [])]),
  ].sort();
  const owned = (name: string) => system.owners.filter((owner) => owner?.node === name).length;
  const none = system.owners.filter((owner) => owner === null).length;
  return (
    <>
      <ol class="map">
        {system.owners.map((owner, partition) => {
          const at = owner === null ? -1 : names.indexOf(owner.node);
          const says =
            owner === null
              ? `Partition ${partition}: nobody serves it`
              : `Partition ${partition}: ${owner.node}, epoch ${owner.epoch}`;
          return (
            <li key={partition} class={at < 0 ? 'nobody' : `hue-${at % HUES}`} title={says}>
              <small aria-hidden="true">{partition}</small>
              <b aria-hidden="true">{at < 0 ? '!' : LETTERS[at % LETTERS.length]}</b>
              <span class="unseen">{says}</span>
            </li>
          );
        })}
      </ol>
      <p class="legend">
        {names.map((name, at) => (
          <span key={name}>
            <i class={`letter hue-${at % HUES}`}>{LETTERS[at % LETTERS.length]}</i> {name}{' '}
            <b class="num">{owned(name)}</b>
          </span>
        ))}
        {none > 0 && (
          <span class="state bad">
            <i class="letter nobody">!</i> nobody <b class="num">{plural(none, 'partition')}</b>
          </span>
        )}
      </p>
    </>
  );
}
