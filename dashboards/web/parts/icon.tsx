/** Small icons that go with words or, with a label, replace them. Their shapes differ, so no meaning depends on colour alone. */
const SHAPES = {
  good: 'M3.5 8.5l3 3 6-7',
  warning: 'M8 2.2L14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2',
  critical: 'M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2zM8 4.8v3.8M8 10.9v.3',
  info: 'M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4zM8 7.4v3.6M8 5v.2',
  acknowledged: 'M2 8s2.3-4 6-4 6 4 6 4-2.3 4-6 4-6-4-6-4zM8 9.6a1.6 1.6 0 100-3.2 1.6 1.6 0 000 3.2z',
  empty: 'M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4zM3.7 12.3l8.6-8.6',
  search: 'M7 12A5 5 0 107 2a5 5 0 000 10zM10.8 10.8L14 14',
  sun: 'M8 11a3 3 0 100-6 3 3 0 000 6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.1 1.1M11.9 11.9L13 13M3 13l1.1-1.1M11.9 4.1L13 3',
  moon: 'M13.5 9.6A5.8 5.8 0 016.4 2.5a5.8 5.8 0 107.1 7.1z',
  keyboard: 'M1.5 4h13v8.5h-13zM4 7h.2M6.7 7h.2M9.3 7h.2M12 7h.2M4.5 10h7',
  overview: 'M2 13.5V8M6 13.5V3M10 13.5V6M14 13.5V9.5',
  place: 'M8 14.5s5-4.6 5-8.2A5 5 0 003 6.3c0 3.6 5 8.2 5 8.2zM8 8a1.7 1.7 0 100-3.4A1.7 1.7 0 008 8z',
  nodes: 'M2 3h12v4H2zM2 9h12v4H2zM4.5 5h.2M4.5 11h.2',
  arrow: 'M3 8h10M9 4l4 4-4 4',
  lost: 'M2 2l12 12M4.5 9.5a5 5 0 012-1.2M2.3 6.8A8.500 8.500 0 015 5M8 12.500h.1M9.500 8.500a5 5 0 012 1M7.200 4.500a8.500 8.500 0 016.500 2.300',
} as const;
export type IconName = keyof typeof SHAPES;

/** With a label, the icon is an image of its own. Without one, screen readers skip it. */
export function Icon({ name, label }: { readonly name: IconName; readonly label?: string }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      role={label === undefined ? undefined : 'img'}
      aria-label={label}
      aria-hidden={label === undefined}
    >
      {label !== undefined && <title>{label}</title>}
      <path
        d={SHAPES[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
