/** All locations as a grid, each with its condition. Those that need a person come first, as the feed sorts them. */
import type { LocationBrief } from '../../../topics.ts';
import { ago, brief, plural, units } from '../../base/format.ts';
import { useKeptFocus } from '../../base/keys.ts';
import { nowMs } from '../../base/now.ts';
import { href, route } from '../../base/route.ts';
import { kpi } from '../../data/topics.ts';
import { Empty, Loading } from '../../parts/condition.tsx';
import { Choices } from '../../parts/filters.tsx';
import { Icon } from '../../parts/icon.tsx';
import { conditionOf } from './location-condition.ts';

export function Locations() {
  useKeptFocus();
  const known = kpi.value?.data;
  const wanted = route.value.query.state ?? '';
  const list = known?.locations.filter((each) => wanted === '' || group(each) === wanted);
  const count = (name: string) => known?.locations.filter((each) => group(each) === name).length ?? 0;
  return (
    <div class="locations">
      <header class="title">
        <h1 tabIndex={-1}>Locations</h1>
        <p>{known !== undefined && plural(known.locationCount, 'location')}</p>
      </header>
      <div class="filters">
        <Choices
          name="state"
          label="State"
          choices={[
            ['', 'All'],
            ['attention', `Needs attention ${count('attention')}`],
            ['stock-outs', `Stock-outs ${count('stock-outs')}`],
            ['fine', `In order ${count('fine')}`],
          ]}
        />
      </div>
      {list === undefined ? (
        <Loading what="the locations" />
      ) : list.length === 0 ? (
        <Empty icon="empty">
          {wanted === '' ? 'No location has reported a fact yet.' : 'No location is in this state.'}
        </Empty>
      ) : (
        <ul class="tiles">
          {list.map((each) => (
            <Tile key={each.location} brief={each} />
          ))}
        </ul>
      )}
      {known !== undefined && known.locationCount > known.locations.length && (
        <p class="more">
          {units(known.locations.length)} of {units(known.locationCount)} are shown, those that need a person first.
          Find any other with <kbd>/</kbd>.
        </p>
      )}
    </div>
  );
}

function group(each: LocationBrief): string {
  const { state } = conditionOf(each);
  return state === 'fine' || state === 'stock-outs' ? state : 'attention';
}

function Tile({ brief: each }: { readonly brief: LocationBrief }) {
  const { tone, icon, words } = conditionOf(each);
  const { units: sum } = each;
  return (
    <li>
      <a class={`tile ${tone}`} data-row href={href(['locations', each.location])}>
        <span class="name">{each.location}</span>
        <span class={`state ${tone}`}>
          <Icon name={icon} /> {words}
        </span>
        <span class="big num">
          {brief(sum.atp)} <small>to promise</small>
        </span>
        <span class="small">
          <span>
            <b class="num">{brief(sum.held + sum.allocated)}</b> promised
          </span>
          <span>
            <b class="num">{brief(each.stockOuts)}</b> out of {brief(each.stockKeys)}
          </span>
          <span>
            <b class="num">{brief(each.openAnomalies)}</b> {each.openAnomalies === 1 ? 'anomaly' : 'anomalies'}
          </span>
          <span>
            {each.factsPerMinute > 0 ? (
              <>
                <b class="num">{brief(each.factsPerMinute)}</b> facts/min
              </>
            ) : (
              `heard ${ago(each.heardAt, nowMs.value)}`
            )}
          </span>
        </span>
      </a>
    </li>
  );
}
