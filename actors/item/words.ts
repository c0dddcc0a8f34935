/** Words of names, without case and accents, and queries that look for them. */

/** Accents that the decomposed form writes after their letter. */
const ACCENTS = /[\u0300-\u036f]/g;
/** Characters that are not seen, such as those that join an emoji of several parts or say its colour. */
const UNSEEN = /[\p{Cf}\p{Variation_Selector}]/gu;
const ASCII = /^[ -~]*$/;
const BETWEEN_WORDS = /[\p{P}\p{Z}\p{Cc}]+/u;

/** The text without case, accents and invisible characters. */
export function folded(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  // Upper case first, because ß and SS are one, and Σ has two small letters.
  const plain = text.normalize('NFKD').replace(ACCENTS, '').replace(UNSEEN, '');
  return plain.toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}

/** The words of a name, each after a blank, so that a blank and a text find the words that begin with it. */
export function wordsOf(name: string): string {
  return wordList(name)
    .map((word) => ` ${word}`)
    .join('');
}

function wordList(text: string): string[] {
  return folded(text)
    .split(BETWEEN_WORDS)
    .filter((word) => word !== '');
}

/** What a search looks for: a SKU that begins with the whole text, or a name with a word that begins with each of its words. */
export interface ItemQuery {
  readonly sku: string;
  /** Each after a blank. */
  readonly words: readonly string[];
}

export function itemQuery(text: string): ItemQuery {
  return { sku: folded(text.trim()), words: [...new Set(wordList(text))].map((word) => ` ${word}`) };
}

/** @param item its folded SKU, and the words of its name */
export function fits(item: { readonly code: string; readonly words: string }, query: ItemQuery): boolean {
  const { code, words } = item;
  if (code.startsWith(query.sku)) return true;
  return query.words.length > 0 && query.words.every((word) => words.includes(word));
}
