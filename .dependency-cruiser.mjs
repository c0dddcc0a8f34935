/**
 * The walls of the house: who may import whom. Part of `npm run check`. Type imports count like others, because a type ties a room to its
 * owner too. What pure rooms may not touch beside imports (clock, chance, timers …) is in .oxlintrc.json.
 */

/** Imports go from the left to the right only. */
const FLOORS = ['src', 'dashboards', 'actors', 'streams', 'config'];

/** The rooms of each floor from the top down; '.' is the floor's own files. Imports go down only, and rooms of one line know nothing of each other. */
const ROOMS = {
  src: [
    'cli',
    'up',
    'operate',
    'node',
    'http nats',
    'api demo',
    'metrics replay servers',
    'client webhooks',
    '. process redis',
  ],
  dashboards: ['feed', 'query', 'kpi', 'web', '.'],
  actors: [
    'engine',
    'recovery request retention',
    'snapshot',
    'outbox promise',
    'anomaly in-force ingest log parked reservation',
    'partition',
    'anomaly/detect idempotency ports',
    'item ownership stock',
    'book policy',
  ],
  streams: ['contract', 'fact journal', 'memory nats read', '.', 'bytes'],
};

/** Each third-party client stands behind one door. */
const DOORS = [
  ['@nats-io/obj', 'streams/nats/objects.ts'],
  ['@nats-io/(?!obj)[^/]+', 'streams/nats/'],
  ['redis|@redis/[^/]+', 'src/redis/connection.ts'],
  ['prom-client', 'src/metrics/registry.ts'],
  ['@grafana/[^/]+', 'dashboards/grafana/board.ts'],
  ['fastify|@fastify/(?!websocket|static)[^/]+', 'src/http/'],
  ['ws|@fastify/websocket', 'src/http/live-socket.ts'],
  ['@fastify/static', 'src/http/web-page.ts'],
  ['pino', 'src/process/log.ts'],
  ['commander', 'src/cli/'],
  ['cli-progress', 'src/replay/command.ts'],
  ['csv-parse', 'src/replay/file/csv.ts'],
  ['yauzl', 'src/replay/file/zip.ts'],
  ['simple-statistics', 'actors/anomaly/detect/probability.ts'],
  ['uplot', 'dashboards/web/parts/chart.tsx'],
  ['preact|@preact/[^/]+', 'dashboards/web/'],
  ['ipaddr.js', 'src/webhooks/address-guard.ts'],
  ['msgpackr', '(streams|actors/snapshot)/'],
];

/** Modules of streams that are data and arithmetic only: pure rooms may build on them. */
const PURE_STREAMS =
  'streams/(contract/(anomaly-kinds|stock)|fact/(fact|item|order)|journal/(decision|promise-decisions|stock-decisions)|assert|buckets|hash|instant|names|subjects)\\.ts';

/** Rooms whose code is a function of its arguments, and what they may import. */
const PURE = {
  'actors/book/': ['actors/book/'],
  'actors/policy/': ['actors/policy/'],
  'actors/item/': ['actors/(book|item)/'],
  'actors/stock/': ['actors/(book|policy|stock)/'],
  'actors/anomaly/detect/': [
    'actors/(book|stock|anomaly/detect)/',
    'config/anomalies\\.ts',
    'node_modules/simple-statistics/',
  ],
};

const PRODUCT = `^(${FLOORS.join('|')})/`;
const error = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

export default {
  forbidden: [
    error('no-circles', 'say what both need in a third file', {}, { circular: true }),
    error('no-unresolvable', 'the file or package is not there', {}, { couldNotResolve: true }),
    error(
      'product-stands-alone',
      `the product is ${FLOORS.join(', ')}`,
      { path: PRODUCT },
      { pathNot: [PRODUCT, 'node_modules/'], dependencyTypesNot: ['core'] },
    ),
    ...FLOORS.slice(1).map((floor, i) =>
      error(
        `${floor}-imports-down`,
        'define a port here, and let the floor above implement it',
        { path: `^${floor}/` },
        { path: `^(${FLOORS.slice(0, i + 1).join('|')})/` },
      ),
    ),
    ...Object.entries(ROOMS).flatMap(([floor, lines]) => wallsOf(floor, lines)),
    ...DOORS.map(([packages, file]) =>
      error(
        `door-of-${packages.replace(/\W+/g, '-')}`,
        `only ${file} imports it: use what is exported there, or add to it`,
        { path: PRODUCT, pathNot: `^${file}` },
        { path: `(^|/)node_modules/(${packages})/` },
      ),
    ),
    ...Object.entries(PURE).map(([room, allowed]) =>
      error(
        `${room.slice(0, -1)}-is-pure`,
        'take what you need as an argument, or move it into a pure module',
        { path: `^${room}` },
        { pathNot: [...allowed, PURE_STREAMS].map((path) => `^${path}`) },
      ),
    ),
    error(
      'harness-stands-below',
      'test, faults, bench and the like are built on the harness',
      { path: '^harness/' },
      { pathNot: [PRODUCT, '^harness/', 'node_modules/'], dependencyTypesNot: ['core'] },
    ),
    error(
      'pure-streams',
      'leave input and output to the caller',
      { path: `^${PURE_STREAMS}` },
      { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer)$' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Its parser takes no JSX. What the page imports is held by biome.json.
    exclude: { path: '\\.(css|tsx)$' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};

/** A room's files, without those of rooms within it. */
function filesOf(floor, room, all) {
  if (room === '.') return `^${floor}/[^/]+$`;
  const within = all.filter((other) => other.startsWith(`${room}/`)).map((other) => other.slice(room.length + 1));
  return `^${floor}/${room}/${within.length === 0 ? '' : `(?!(${within.join('|')})/)`}`;
}

function wallsOf(floor, lines) {
  const all = lines.flatMap((line) => line.split(' '));
  return lines.flatMap((line, at) =>
    line.split(' ').flatMap((room) => {
      const closed = all
        .slice(
          0,
          lines
            .slice(0, at + 1)
            .join(' ')
            .split(' ').length,
        )
        .filter((other) => other !== room);
      if (closed.length === 0) return [];
      return error(
        `${floor}/${room}-imports-down`,
        'rooms above it, and beside it, are none of its business',
        { path: filesOf(floor, room, all) },
        { path: closed.map((other) => filesOf(floor, other, all)) },
      );
    }),
  );
}
