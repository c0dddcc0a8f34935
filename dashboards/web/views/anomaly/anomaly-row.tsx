/**
 * One anomaly as a row of a list. Its link opens it in the anomalies' view, and the keys a and r find it by its id.
 */
import type { Anomaly } from '../../../topics.ts';
import { ago, words } from '../../base/format.ts';
import { nowMs } from '../../base/now.ts';
import { href, route } from '../../base/route.ts';
import { Icon } from '../../parts/icon.tsx';

const SEVERITY_TONE = { critical: 'bad', warning: 'warn', info: 'plain' } as const;

interface AnomalyRowProps {
  readonly anomaly: Anomaly;
  /** How its SKU is called, where the view does not say it already. */
  readonly name?: string | undefined;
}

export function AnomalyRow({ anomaly, name }: AnomalyRowProps) {
  const { id, kind, severity, state, sku, location, at, data } = anomaly;
  const { path, query } = route.value;
  const filters = path[0] === 'anomalies' ? query : {};
  const opened = path[0] === 'anomalies' && query.id === id;
  const where = [sku, location].filter((part) => part !== undefined).join(' at ');
  return (
    <li>
      <a
        class={`row anomaly ${state}`}
        data-row
        data-anomaly={id}
        aria-current={opened ? 'true' : undefined}
        href={href(['anomalies'], { ...filters, id })}
      >
        <span class={`mark ${state === 'resolved' ? 'good' : SEVERITY_TONE[severity]}`}>
          <Icon name={state === 'resolved' ? 'good' : severity} label={state === 'resolved' ? 'resolved' : severity} />
        </span>
        <span class="main">
          <b>
            {words(kind)}
            {where !== '' && <span class="where"> {where}</span>}
          </b>
          <small>
            {name !== undefined && (
              <>
                <bdi>{name}</bdi>.{' '}
              </>
            )}
            {data.says}
          </small>
        </span>
        <span class="end">
          <small>{ago(at, nowMs.value)}</small>
          {state === 'acknowledged' && (
            <small class="tag">
              <Icon name="acknowledged" /> {anomaly.acknowledged?.by ?? 'seen'}
            </small>
          )}
        </span>
      </a>
    </li>
  );
}
