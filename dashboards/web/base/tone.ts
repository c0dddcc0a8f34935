/** How good a figure or an answer is, which decides its colour. */
export type Tone = 'plain' | 'good' | 'warn' | 'bad';
