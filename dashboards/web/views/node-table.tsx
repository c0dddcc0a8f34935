/** The nodes and the condition of each. */
import type { NodeFigures } from '../../topics.ts';
import { brief, rate, span, units } from '../base/format.ts';
import { nowMs } from '../base/now.ts';
import { Icon } from '../parts/icon.tsx';

const SILENT_SECONDS = 3;

export function LagText({ lag }: { readonly lag: NodeFigures['lag'] }) {
  const behind = Object.entries(lag).filter(([, count]) => count > 0);
  const sum = behind.reduce((total, [, count]) => total + count, 0);
  if (sum === 0) return <>no lag</>;
  return <span title={behind.map(([stream, count]) => `${stream} ${count}`).join(', ')}>{brief(sum)} behind</span>;
}

export function NodeTable({ nodes }: { readonly nodes: readonly NodeFigures[] }) {
  const now = nowMs.value;
  return (
    <table class="grid">
      <thead>
        <tr>
          <th scope="col">Node</th>
          <th scope="col">State</th>
          {[
            'Partitions',
            'Actors',
            'Reservations',
            'In journal queue',
            'Lag',
            'Snapshot age',
            'Loop p99',
            'MiB',
            'Readers',
            'Up for',
          ].map((name) => (
            <th key={name} scope="col" class="right">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => (
          <tr key={node.name} data-node={node.name}>
            <th scope="row">
              {node.name} <small class="where">{node.http}</small>
            </th>
            <td data-label="State">
              <NodeState node={node} />
            </td>
            <Cell name="Partitions" value={units(node.owned)} />
            <Cell name="Actors" value={units(node.actors)} />
            <Cell name="Reservations" value={units(node.reservations)} />
            <Cell name="In journal queue" value={units(node.journalWaiting)} />
            <td class="right num" data-label="Lag">
              <LagText lag={node.lag} />
            </td>
            <Cell name="Snapshot age" value={span(node.snapshotAgeSeconds)} />
            <Cell name="Loop p99" value={`${rate(node.eventLoopP99Ms)} ms`} />
            <Cell name="MiB" value={units(node.memoryMiB)} />
            <Cell name="Readers" value={units(node.liveClients)} />
            <Cell name="Up for" value={span((now - Date.parse(node.startedAt)) / 1_000)} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <td class="right num" data-label={name}>
      {value}
    </td>
  );
}

function NodeState({ node }: { readonly node: NodeFigures }) {
  if (node.silentSeconds > SILENT_SECONDS) {
    return (
      <span class="state bad">
        <Icon name="critical" /> silent for {span(node.silentSeconds)}
      </span>
    );
  }
  if (node.ready) {
    return (
      <span class="state good">
        <Icon name="good" /> serves
      </span>
    );
  }
  return (
    <span class="state warn">
      <Icon name="warning" /> {node.reasons[0] ?? 'is starting'}
    </span>
  );
}
