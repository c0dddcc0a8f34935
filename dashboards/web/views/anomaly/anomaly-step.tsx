/** The dialog that acknowledges or resolves an anomaly, with a name and a reason. */
import type { Anomaly } from '../../../topics.ts';
import { announce } from '../../base/announce.ts';
import { words } from '../../base/format.ts';
import { actOn } from '../../data/anomalies.ts';
import { DecisionForm } from '../../parts/decision-form.tsx';
import { Modal } from '../../parts/modal.tsx';

interface StepProps {
  readonly does: 'acknowledge' | 'resolve';
  readonly anomaly: Anomaly;
  readonly onDone: () => void;
}

export function AnomalyStep({ does, anomaly, onDone }: StepProps) {
  return (
    <Modal title={`${words(does)}: ${words(anomaly.kind)}`} onClose={onDone}>
      <p class="says">{anomaly.data.says}</p>
      <DecisionForm
        decide={async (said) => {
          await actOn(anomaly.id, does, said);
          announce(`${words(anomaly.kind)} ${does}d.`);
          onDone();
        }}
      >
        {words(does)} <kbd>Enter</kbd>
      </DecisionForm>
    </Modal>
  );
}
