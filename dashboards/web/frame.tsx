/**
 * The frame around every view: landmarks, navigation, the search box, whether the numbers are live, and the dialogs that every view
 * shares.
 */
import { useEffect, useRef } from 'preact/hooks';
import { announcement } from './base/announce.ts';
import { helpShown, keysOn, useKeys } from './base/keys.ts';
import { href, type Route, route } from './base/route.ts';
import { switchTheme, theme } from './base/theme.ts';
import { unresolved } from './data/anomalies.ts';
import { link } from './data/live-socket.ts';
import { Help } from './parts/help.tsx';
import { Icon, type IconName } from './parts/icon.tsx';
import { LinkBanner, LinkChip } from './parts/link-banner.tsx';
import { SearchBox } from './parts/search-box.tsx';
import { Anomalies } from './views/anomaly/anomalies.tsx';
import { Location } from './views/location/location.tsx';
import { Locations } from './views/location/locations.tsx';
import { Nowhere } from './views/nowhere.tsx';
import { Overview } from './views/overview.tsx';
import { Sku } from './views/sku.tsx';
import { System } from './views/system.tsx';

const PLACES: readonly { readonly name: string; readonly path: readonly string[]; readonly icon: IconName }[] = [
  { name: 'Overview', path: [], icon: 'overview' },
  { name: 'Locations', path: ['locations'], icon: 'place' },
  { name: 'Anomalies', path: ['anomalies'], icon: 'warning' },
  { name: 'System', path: ['system'], icon: 'nodes' },
];

export function Frame() {
  const here = route.value;
  const main = useRef<HTMLElement>(null);
  const address = here.path.join('/');
  const arrived = useRef(address);
  useKeys({ t: switchTheme });
  useEffect(() => {
    document.title = `${titleOf(here)} · Holdfast`;
    if (arrived.current === address) return;
    arrived.current = address;
    scrollTo(0, 0);
    // With the focus here a screen reader announces the new view, and Tab continues from it.
    main.current?.querySelector('h1')?.focus({ preventScroll: true });
  }, [address, here]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.querySelector('h1')?.focus()}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href={href([])}>
          <Mark />
          <span>Holdfast</span>
        </a>
        <Places here={here.path[0] ?? ''} />
        <SearchBox />
        <div class="tools">
          <LinkChip />
          <button
            type="button"
            class="tool"
            onClick={switchTheme}
            aria-label={theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
          >
            <Icon name={theme.value === 'dark' ? 'sun' : 'moon'} />
          </button>
          <button type="button" class="tool" onClick={() => (helpShown.value = true)} aria-label="Keyboard help">
            {keysOn.value ? <kbd>?</kbd> : <Icon name="keyboard" />}
          </button>
        </div>
      </header>
      <LinkBanner />
      <main ref={main} id="main" class={link.value.phase === 'lost' ? 'old' : ''}>
        <View {...here} />
      </main>
      <Help />
      <div class="unseen" role="status" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}

function Places({ here }: { readonly here: string }) {
  const open = unresolved.value?.filter(({ state }) => state === 'open').length ?? 0;
  return (
    <nav aria-label="Views">
      {PLACES.map(({ name, path, icon }) => (
        <a key={name} href={href(path)} aria-current={(path[0] ?? '') === here ? 'page' : undefined}>
          <Icon name={icon} />
          <span>{name}</span>
          {name === 'Anomalies' && open > 0 && (
            <span class="count num">
              {open > 999 ? '999+' : open}
              <span class="unseen"> open</span>
            </span>
          )}
        </a>
      ))}
    </nav>
  );
}

function View({ path }: Route) {
  const [place, first, second] = path;
  if (place === undefined) return <Overview />;
  if (place === 'locations') return first === undefined ? <Locations /> : <Location key={first} id={first} />;
  if (place === 'sku' && first !== undefined) return <Sku key={first} sku={first} location={second} />;
  if (place === 'anomalies') return <Anomalies />;
  if (place === 'system') return <System />;
  return <Nowhere />;
}

function titleOf({ path }: Route): string {
  const [place, first] = path;
  if (place === 'sku' && first !== undefined) return first;
  if (place === 'locations' && first !== undefined) return first;
  return PLACES.find((each) => (each.path[0] ?? '') === (place ?? ''))?.name ?? 'Nowhere';
}

/** The logo: two jaws that hold a unit. */
function Mark() {
  return (
    <svg class="emblem" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <path d="M12 5H5v22h7M20 5h7v22h-7" fill="none" stroke="currentColor" stroke-width="3.4" />
      <rect x="12" y="10.5" width="8" height="11" />
    </svg>
  );
}
