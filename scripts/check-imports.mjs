/**
 * Holds the walls of the house: who may import whom, and what pure code may not touch. Part of `npm run check`; runs on
 * bare Node.js, on whatever files there are. Type-only imports count like others: a type ties a room to its owner too.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Imports go from the left to the right only. */
const FLOORS = ['src', 'dashboards', 'actors', 'streams', 'config'];

/** Each third-party client stands behind one door: the files (or folders, ending in /) that may import it. */
const DOORS = [
  {
    packages: /^@nats-io\/obj$/,
    files: ['streams/objects.ts'],
    instead: 'use what streams/objects.ts exports, or add it there',
  },
  {
    packages: /^@nats-io\//,
    files: ['connection', 'exchange', 'keys', 'service', 'nats-errors', 'nats-login', 'nats-messages'].map(
      (name) => `streams/${name}.ts`,
    ),
    instead: 'use what streams/connection.ts exports, or add it there',
  },
  {
    packages: /^(redis|@redis\/.*)$/,
    files: ['src/redis-connection.ts'],
    instead: 'use what src/redis-connection.ts exports, or the SnapshotStore port (actors/snapshotter.ts)',
  },
  {
    packages: /^prom-client$/,
    files: ['src/metrics/registry.ts'],
    instead: 'use the metrics facade',
  },
  {
    packages: /^@grafana\//,
    files: ['dashboards/grafana/board.ts'],
    instead: 'describe the panel as data, and draw it in dashboards/grafana/board.ts',
  },
  { packages: /^(fastify|@fastify\/.*|fastify-.*)$/, files: ['src/http/'], instead: 'put the route under src/http/' },
  { packages: /^ws$/, files: ['src/live-front.ts'], instead: 'use the hub of dashboards/feed, which knows no sockets' },
  { packages: /^pino$/, files: ['src/log.ts', 'src/logger.ts'], instead: 'take a logger as an argument' },
  { packages: /^commander$/, files: ['src/cli.ts', 'src/cli/'], instead: 'put it into src/cli/' },
  { packages: /^cli-progress$/, files: ['src/replay/command.ts'], instead: 'report progress to src/replay/command.ts' },
  {
    packages: /^simple-statistics$/,
    files: ['actors/anomaly/probability.ts'],
    instead: 'add what you need to actors/anomaly/probability.ts',
  },
  {
    packages: /^uplot$/,
    files: ['dashboards/web/parts/chart.tsx'],
    instead: 'draw with dashboards/web/parts/chart.tsx',
  },
  {
    packages: /^(preact|@preact\/.*)$/,
    files: ['dashboards/web/'],
    instead: 'what is drawn for people belongs to dashboards/web/',
  },
  { packages: /^msgpackr$/, files: ['streams/', 'actors/snapshot'], instead: 'encode with a codec of streams/' },
];

/** Of several files that a door allows, a client may still be in one only; folders may hold several. */
const SINGLE = new Set(['prom-client', 'pino', 'redis']);

/** Modules of streams that are data and arithmetic only: pure rooms may build on them. */
const PURE_STREAMS = ['anomalies', 'facts', 'decisions', 'hash', 'instant', 'requests', 'subjects'].map(
  (name) => `streams/${name}.ts`,
);

/** Rooms whose code is a function of its arguments: no clock, chance, timer, environment, logger, input or output. */
const PURE_ROOMS = [
  { room: 'actors/stock/', mayImport: ['actors/stock/', ...PURE_STREAMS] },
  { room: 'actors/order/', mayImport: ['actors/order/', 'actors/stock/', ...PURE_STREAMS] },
  {
    room: 'actors/anomaly/',
    mayImport: ['actors/anomaly/', 'actors/stock/', 'config/anomalies.ts', ...PURE_STREAMS],
    // Arithmetic only.
    packages: /^simple-statistics$/,
  },
];

/** Files under PURE_STREAMS keep the same words out, but may use packages and hashes. */
const IMPURE_WORDS = [
  [/\bDate\s*\.\s*now\b/, 'Date.now', 'take the time as an argument'],
  [/\bnew\s+Date\s*\(\s*\)/, 'new Date()', 'take the time as an argument'],
  [/\bMath\s*\.\s*random\b/, 'Math.random', 'take the chance as an argument'],
  [/\bset(Timeout|Interval|Immediate)\b/, 'a timer', 'return what is due when, and let the partition wake you'],
  [/\bperformance\s*\./, 'performance', 'take the time as an argument'],
  [/\bprocess\s*\./, 'process', 'take the setting as an argument'],
  [/\bconsole\s*\./, 'console', 'return what happened; the caller logs'],
  [/\bfetch\s*\(/, 'fetch', 'leave input and output to the caller'],
];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const problems = [];
const seen = new Map();

const files = FLOORS.flatMap((floor) => sources(join(root, floor)));
for (const file of files) checkFile(file);
for (const [client, users] of seen) {
  if (SINGLE.has(client) && users.size > 1) {
    problems.push(`${[...users].join(', ')}: "${client}" is imported in ${users.size} files; keep it in one`);
  }
}
for (const problem of problems.sort()) console.error(problem);
console.log(`imports: ${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

function checkFile(file) {
  const { code, imports } = read(readFileSync(join(root, file), 'utf8'));
  const room = PURE_ROOMS.find((each) => file.startsWith(each.room));
  for (const { from, line } of imports) {
    const say = (what) => problems.push(`${file}:${line}: ${what}`);
    if (from.startsWith('.')) checkLocal(file, from, room, say);
    else checkPackage(file, from, room, say);
  }
  if (!room && !PURE_STREAMS.includes(file)) return;
  for (const [word, name, instead] of IMPURE_WORDS) {
    const at = code.search(word);
    if (at >= 0) problems.push(`${file}:${lineAt(code, at)}: ${name} in pure code; ${instead}`);
  }
}

function checkLocal(file, from, room, say) {
  const target = posix.normalize(posix.join(posix.dirname(file), from));
  if (!/\.(ts|tsx|json|css)$/.test(target)) say(`"${from}" has no extension; write ./name.ts`);
  else if (/\.tsx?$/.test(target) && !existsSync(join(root, target))) say(`"${from}" does not exist`);
  const [here, there] = [FLOORS.indexOf(file.split('/')[0]), FLOORS.indexOf(target.split('/')[0])];
  if (there < 0) say(`"${from}" lies outside ${FLOORS.join(', ')}; the product may not depend on it`);
  else if (there < here) {
    say(
      `${FLOORS[here]} may not import ${FLOORS[there]} (${FLOORS.join(' → ')}); define a port here and let ${FLOORS[there]} implement it`,
    );
  }
  if (
    room &&
    !room.mayImport.some((allowed) => target === allowed || (allowed.endsWith('/') && target.startsWith(allowed)))
  ) {
    say(
      `${room.room} is pure and may not import ${target}; take what you need as an argument, or move it into a pure module`,
    );
  }
}

function checkPackage(file, from, room, say) {
  const builtin = from.startsWith('node:');
  if (!builtin && builtinModules.includes(from)) say(`write node:${from}`);
  if (room && !room.packages?.test(from))
    say(`${room.room} is pure and may not import "${from}"; take what you need as an argument`);
  if (builtin && PURE_STREAMS.includes(file) && !/^node:(crypto|buffer)$/.test(from)) {
    say(`a pure module may not import "${from}"; leave input and output to the caller`);
  }
  const door = DOORS.find(({ packages }) => packages.test(from));
  if (!door) return;
  const name = packageName(from);
  seen.set(name, (seen.get(name) ?? new Set()).add(file));
  if (door.files.some((allowed) => file === allowed || (!allowed.endsWith('.ts') && file.startsWith(allowed)))) return;
  say(`"${from}" may be imported only in ${door.files.join(' or ')}; ${door.instead}`);
}

/** Import specifiers with their lines, and the code without comments and without what strings say. */
function read(text) {
  const { code, strings } = blank(text);
  const imports = [];
  for (const found of code.matchAll(/\b(?:from|import)\s*\(?\s*(["'])(\d+)\1/g)) {
    imports.push({ from: strings[Number(found[2])], line: lineAt(code, found.index) });
  }
  return { code, imports };
}

/** Replaces every string by its number in `strings`, and comments by blanks; lines stay where they are. */
function blank(text) {
  const strings = [];
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/(?![*/\s])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*/g;
  const code = text.replace(token, (found, at) => {
    const lines = '\n'.repeat(found.split('\n').length - 1);
    if (found.startsWith('//') || found.startsWith('/*')) return ` ${lines}`;
    if (found.startsWith('/')) return isRegexPlace(text, at) ? ` 0${lines}` : found;
    // Code inside ${…} of a template is code still.
    if (found.startsWith('`'))
      return ` ${[...found.matchAll(/\$\{([^{}]*)\}/g)].map((each) => each[1]).join(';')} ${lines}`;
    strings.push(found.slice(1, -1));
    return `${found[0]}${strings.length - 1}${found[0]}${lines}`;
  });
  return { code, strings };
}

/** A slash after a value divides; after an operator, a bracket or a keyword it begins a regular expression. */
function isRegexPlace(text, at) {
  const before = text.slice(0, at).trimEnd();
  return (
    before === '' || /[=(,:;!&|?{}[\]+\-*%<>~^]$/.test(before) || /\b(return|typeof|case|in|of|void)$/.test(before)
  );
}

function lineAt(text, index) {
  return text.slice(0, index).split('\n').length;
}

function packageName(from) {
  return from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
}

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) ? [relative(root, path).split(sep).join('/')] : [];
  });
}
