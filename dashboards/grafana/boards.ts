/** Every dashboard and the text of its file. `npm run dashboards` writes the files, and a test verifies that they match. */
import { type Board, dashboardOf } from './board.ts';
import { INTERNALS } from './internals.ts';
import { OVERVIEW } from './overview.ts';
import { STOCK } from './stock.ts';

export const BOARDS: readonly Board[] = [OVERVIEW, STOCK, INTERNALS];

/** Returns the file name and content of each dashboard. */
export function dashboardFiles(): { readonly name: string; readonly text: string }[] {
  return BOARDS.map((board) => ({
    name: `${board.uid}.json`,
    text: `${JSON.stringify(dashboardOf(board), undefined, 2)}\n`,
  }));
}
