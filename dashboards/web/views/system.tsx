/** The system: nodes, the owner of each partition, how durable a promise is on these servers, and parked facts. */

import { plural, units } from '../base/format.ts';
import { system } from '../data/topics.ts';
import { Loading } from '../parts/condition.tsx';
import { Icon } from '../parts/icon.tsx';
import { NodeTable } from './node-table.tsx';
import { Parked } from './parked/parked.tsx';
import { PartitionMap } from './partition-map.tsx';

export function System() {
  const known = system.value?.data;
  return (
    <div class="system">
      <header class="title">
        <h1 tabIndex={-1}>System</h1>
        <p>{known !== undefined && `Holdfast ${known.version}, ${plural(known.nodes.length, 'node')}`}</p>
      </header>
      {known === undefined ? (
        <Loading what="the nodes" />
      ) : (
        <>
          <section class="panel">
            <header>
              <h2>Nodes</h2>
            </header>
            <NodeTable nodes={known.nodes} />
          </section>
          <section class="panel owners">
            <header>
              <h2>Partitions and their owners</h2>
              <p class="now">{units(known.partitions)}</p>
            </header>
            <PartitionMap system={known} />
          </section>
          <section class="panel worth">
            <header>
              <h2>What a promise is worth here</h2>
            </header>
            <p class="says">
              <Icon name="info" /> {known.durability}
            </p>
            <p class="doors">
              <a href="/readyz">Readiness</a>
              <a href="/metrics">Metrics</a>
              <a href="/openapi.json">What can be asked (OpenAPI)</a>
            </p>
          </section>
        </>
      )}
      <Parked count={known?.parked} />
    </div>
  );
}
