/** `npm run dashboards`: writes dashboards/grafana/*.json from the TypeScript beside them. */
import { join } from 'node:path';
import { runCompiled } from './compiled.mjs';
import { root } from './install.mjs';

process.argv[2] = join(root, 'dashboards', 'grafana');
runCompiled('dashboards/grafana', ['dashboards', 'grafana', 'main.js']);
