/** A dialog with all keys, and the switch that turns the one-character keys off. */
import { helpShown, keysOn, switchKeys } from '../base/keys.ts';
import { Modal } from './modal.tsx';

const KEYS: readonly (readonly [string, readonly (readonly [readonly string[], string])[]])[] = [
  [
    'Go to',
    [
      [['g', 'o'], 'Overview'],
      [['g', 'l'], 'Locations'],
      [['g', 'a'], 'Anomalies'],
      [['g', 's'], 'System'],
      [['/'], 'Find a SKU or location'],
    ],
  ],
  [
    'In lists',
    [
      [['j'], 'Next row'],
      [['k'], 'Row before'],
      [['Enter'], 'Open it'],
      [['Esc'], 'Back, or close'],
    ],
  ],
  [
    'Anomalies',
    [
      [['a'], 'Acknowledge'],
      [['r'], 'Resolve'],
    ],
  ],
  [
    'Page',
    [
      [['t'], 'Light or dark'],
      [['?'], 'This help'],
    ],
  ],
];

export function Help() {
  if (!helpShown.value) return null;
  return (
    <Modal title="Keyboard" onClose={() => (helpShown.value = false)}>
      <div class="keys">
        {KEYS.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([pressed, does]) => (
                <div key={does}>
                  <dt>
                    {pressed.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label class="switch">
        <input
          type="checkbox"
          checked={keysOn.value}
          onChange={({ currentTarget }) => switchKeys(currentTarget.checked)}
        />
        Keys of one character are on
      </label>
      <p>
        <a href="/assets/licenses.txt">Licences of what this page is made of</a>
      </p>
    </Modal>
  );
}
