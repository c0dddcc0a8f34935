/** Light or dark, as the system is set until the reader chooses. Style sheets read `data-theme` of the root element. */
import { computed, effect, signal } from '@preact/signals';
import { remember, remembered } from './remembered.ts';

type Theme = 'light' | 'dark';

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const system = signal<Theme>(systemDark.matches ? 'dark' : 'light');
systemDark.addEventListener('change', () => {
  system.value = systemDark.matches ? 'dark' : 'light';
});

const kept = remembered('theme');
const chosen = signal<Theme | undefined>(kept === 'light' || kept === 'dark' ? kept : undefined);

export const theme = computed(() => chosen.value ?? system.value);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function switchTheme(): void {
  chosen.value = theme.value === 'dark' ? 'light' : 'dark';
  remember('theme', chosen.value);
}
