/** Throughput of the state machine alone, and its memory use. */
import type { BenchContext } from '../context.ts';
import { bound, type Figure } from '../figure.ts';
import { Worker } from '../processes.ts';

const MEMORY_ARGS = ['--expose-gc', '--max-old-space-size=6144'];
const MACHINE_GOAL = 2_000_000;
const ACTOR_GOAL = 300;

export async function machineFigure(context: BenchContext): Promise<Figure> {
  const worker = new Worker({ nodeArgs: [...MEMORY_ARGS, ...context.profileArgs('machine')] });
  const value = await worker.run('foldFacts', { skus: 10_000, locations: 10, count: 1_000_000 });
  await worker.end();
  return {
    name: 'machine',
    title: 'state machine alone: ids remembered, fact folded',
    value,
    unit: '/s',
    comparisons: [bound('≥ 2 million', value >= MACHINE_GOAL)],
    notes: [
      '1,000,000 sales over 100,000 stock keys, hash of the id and partition of the SKU included; of processor time',
    ],
  };
}

export async function memoryFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [skus, locations] of [
    [10_000, 100],
    [1_000_000, 1],
  ] as const) {
    const worker = new Worker({ nodeArgs: MEMORY_ARGS });
    const { bytesPerActor, bytesPerSeenId } = await worker.run('measureActors', { skus, locations });
    await worker.end();
    figures.push({
      name: `memory-${skus}x${locations}`,
      title: `memory per actor, ${skus} SKUs × ${locations} locations`,
      value: bytesPerActor,
      unit: 'B',
      comparisons: [bound(`≤ ${ACTOR_GOAL} B`, bytesPerActor <= ACTOR_GOAL)],
      notes: [
        'one movement and one count each, all indexes and strings',
        `beside: ${bytesPerSeenId.toFixed(1)} B per fact id remembered`,
      ],
    });
  }
  const worker = new Worker({ nodeArgs: MEMORY_ARGS });
  const value = await worker.run('measureHolds', { count: 1_000_000 });
  await worker.end();
  figures.push({
    name: 'memory-holds',
    title: 'memory per live hold of one line',
    value,
    unit: 'B',
    comparisons: [],
    notes: ['1,000,000 holds, coordinator entries included'],
  });
  return figures;
}
