/**
 * Tail probabilities for the detectors. Only this file imports simple-statistics.
 *
 * Counts: the predictive distribution of a gamma–Poisson model is negative binomial (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6).
 * With a certainty worth k events and a mean μ, P(X = x) = Γ(x+k) / (Γ(k) x!) · (k/(k+μ))^k · (μ/(k+μ))^x.
 */
import { gammaln } from 'simple-statistics';

/** P(X ≥ x) of a negative binomial with mean `mean` and certainty `k`. Both must be above 0, and x a whole number. */
export function countTail(x: number, mean: number, k: number): number {
  if (x <= 0) return 1;
  const ratio = mean / (k + mean);
  // Above the mean each term is smaller than the one before, so the sum from x upward converges.
  let term = Math.exp(
    gammaln(x + k) - gammaln(k) - gammaln(x + 1) + k * Math.log(k / (k + mean)) + x * Math.log(ratio),
  );
  if (x <= mean) return 1 - lowerSum(x, mean, k);
  let sum = 0;
  for (let i = x; i < x + MAX_TERMS; i++) {
    sum += term;
    if (term < sum * 1e-9) break;
    term *= (ratio * (i + k)) / (i + 1);
  }
  return Math.min(1, sum);
}
const MAX_TERMS = 10_000;

function lowerSum(x: number, mean: number, k: number): number {
  let term = Math.exp(k * Math.log(k / (k + mean)));
  let sum = 0;
  for (let i = 0; i < x; i++) {
    sum += term;
    term *= ((mean / (k + mean)) * (i + k)) / (i + 1);
  }
  return sum;
}

/** P(X = 0) of the same distribution: no event where `mean` were expected. */
export function silenceTail(mean: number, k: number): number {
  return (k / (k + mean)) ** k;
}

/** The mean at which silence has the probability `tail`. Inverse of silenceTail. */
export function silentMean(tail: number, k: number): number {
  return k * (tail ** (-1 / k) - 1);
}

/** P(X ≥ x) of a binomial of n tries that each succeed with probability p. */
export function shareTail(x: number, n: number, p: number): number {
  if (x <= 0) return 1;
  let sum = 0;
  for (let i = x; i <= n; i++) {
    sum += Math.exp(gammaln(n + 1) - gammaln(i + 1) - gammaln(n - i + 1) + i * Math.log(p) + (n - i) * Math.log(1 - p));
  }
  return Math.min(1, sum);
}
