/**
 * `npm run anomalies`: precision and recall of the anomaly detectors on the real months with injected anomalies, and false alarms on the
 * same months without. Arguments: --months A..B, --from MONTH, --seed N, --each N, --set name=value,…, --help.
 */
import { runCompiled } from './compiled.mjs';

runCompiled('measure', ['measure', 'main.js']);
