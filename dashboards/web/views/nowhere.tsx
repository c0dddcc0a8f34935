/** The view for an address that leads nowhere. */

import { href } from '../base/route.ts';
import { Empty } from '../parts/condition.tsx';

export function Nowhere() {
  return (
    <div>
      <header class="title">
        <h1 tabIndex={-1}>There is nothing here</h1>
      </header>
      <Empty icon="empty">
        No view has this address. <a href={href([])}>To the overview</a>
      </Empty>
    </div>
  );
}
