/** One anomaly: its message, the figures behind it, the steps taken, and links to related views. */
import type { Anomaly } from '../../../topics.ts';
import { moment, units, words } from '../../base/format.ts';
import { nowMs } from '../../base/now.ts';
import { filter, href } from '../../base/route.ts';
import { Icon } from '../../parts/icon.tsx';

interface DetailProps {
  readonly anomaly: Anomaly;
  readonly onStep: (does: 'acknowledge' | 'resolve') => void;
}

export function AnomalyDetail({ anomaly, onStep }: DetailProps) {
  const { id, kind, severity, state, sku, location, at, updatedAt, data, acknowledged, resolved } = anomaly;
  const now = nowMs.value;
  const figures = Object.entries(data).filter(([name]) => name !== 'says');
  return (
    <section class="panel detail" aria-label="The anomaly that is open" data-detail={id}>
      <header>
        <h2>
          <Icon name={severity} label={severity} /> {words(kind)}
        </h2>
        <button type="button" class="plain" onClick={() => filter({ id: undefined })}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      <p class="says">{data.says}</p>
      <div class="actions">
        <button type="button" class="strong" disabled={state !== 'open'} onClick={() => onStep('acknowledge')}>
          Acknowledge <kbd>a</kbd>
        </button>
        <button type="button" disabled={state === 'resolved'} onClick={() => onStep('resolve')}>
          Resolve <kbd>r</kbd>
        </button>
        {sku !== undefined && (
          <a class="button" href={href(location === undefined ? ['sku', sku] : ['sku', sku, location])}>
            {location === undefined ? `SKU ${sku}` : 'Why is this number what it is?'}
          </a>
        )}
        {location !== undefined && (
          <a class="button" href={href(['locations', location])}>
            {location}
          </a>
        )}
      </div>
      <dl class="facts">
        <Fact name="State" value={words(state)} />
        {sku !== undefined && <Fact name="SKU" value={sku} />}
        {location !== undefined && <Fact name="Location" value={location} />}
        <Fact name="Began" value={moment(at, now)} />
        <Fact name="Last change" value={moment(updatedAt, now)} />
        {figures.map(([name, value]) => (
          <Fact key={name} name={words(name)} value={said(value, now)} />
        ))}
      </dl>
      {acknowledged !== undefined && (
        <p class="done">
          <Icon name="acknowledged" />
          <span>
            <b>{acknowledged.by}</b> acknowledged it at {moment(acknowledged.at, now)}: {acknowledged.why}
          </span>
        </p>
      )}
      {resolved !== undefined && (
        <p class="done">
          <Icon name="good" />
          <span>
            {resolved.by === undefined ? 'Resolved by itself' : <b>{resolved.by} resolved it</b>} at{' '}
            {moment(resolved.at, now)}: {resolved.why}
          </span>
        </p>
      )}
    </section>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function said(value: unknown, now: number): string {
  if (typeof value === 'number') return Number.isInteger(value) ? units(value) : String(Number(value.toPrecision(4)));
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) ? moment(value, now) : value;
  return JSON.stringify(value) ?? '';
}
