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
 * Measured with these constants on tiny runs that took no part in setting them. Ordinary training (12
 * families): 0 pages in 3,780 healthy validations. Runs built to be harsh (10 families): 0 in 6,804,
 * then 2 in 2,700 and 19 in 2,700 of other seeds (PyTorch 2.15), in 8 runs of two families: bad batches
 * of 8 at rate 0.01 that kill most units of a layer, and a GAN under SGD.
 * Three mistakes were behind them, each wrong by what it claimed: histories of 4 to 11 values judged
 * as if they were 12 (`shortnessBits`), medians that fell while nothing rose (`Line.ceiling`), and
 * subnormals taken for stuck bits. Without them: 0 in 1,350 validations of harsh runs of three seeds
 * that nobody had looked at before (7 with the mistakes), below 22 in 10,000 with 95 % confidence; of
 * 38 planted faults 24 are told before and after. The GAN under SGD came to 13.2 of 13.3 bits once: the
 * budget is shown for training as people do it, not for training that diverges.
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
