/** The reader's choices that this browser keeps. A browser that keeps nothing (private windows) gets the defaults each time. */
export function remembered(name: string): string | undefined {
  try {
    return localStorage.getItem(`holdfast.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`holdfast.${name}`, value);
  } catch {
    // The choice applies until the page is closed.
  }
}
