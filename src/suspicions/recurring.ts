/** recurring-suspect: the same machine, wire or memory cell was behind findings again and again. */

import type { Severity } from './budget.ts';
import { evidenceWords, severityOf } from './budget.ts';
import type { SuspicionText } from './suspicion.ts';

/** What a finding was traced to; a trait that is not known of it is null. */
export interface PastFinding {
  /** Groups findings of one checkpoint: one event may hit many tensors. */
  readonly checkpoint: string;
  readonly rank: number | null;
  readonly host: string | null;
  /** Byte offset in the file modulo the page. */
  readonly pageOffset: number | null;
  /** Bit of the element, 0 lowest. */
  readonly bit: number | null;
  /** Flat index mod 32. */
  readonly lane: number | null;
}

/** What findings may have in common. */
export type Trait = 'rank' | 'host' | 'pageOffset' | 'bit' | 'lane';

/**
 * Values that a trait may take with equal chance; a trait that is absent, or has fewer than 2, is
 * not tested.
 */
export type Choices = Partial<Readonly<Record<Trait, number>>>;

/** The share that one value of a trait may have on healthy hardware; never taken to be less. */
export type Commonest = Partial<Readonly<Record<Trait, number>>>;

/** One suspect behind many findings. */
export interface RecurringFinding {
  readonly rule: 'recurring-suspect';
  readonly trait: Trait;
  readonly suspect: string;
  /** Checkpoints that point to it, of all that show the trait. */
  readonly count: number;
  readonly of: number;
  /** −log2 of the chance of such a tail; and net of every other value, trait and look. */
  readonly bits: number;
  readonly net: number;
  readonly severity: Severity;
  readonly message: string;
}

/** Its text; it is judged by `findRecurring`. */
export const recurringSuspect: SuspicionText = {
  id: 'recurring-suspect',
  title: 'The same rank, host, memory offset, bit or lane was behind findings again and again',
  family: 'statistics',
  statement:
    'Of n findings in different checkpoints, c share a rank (host, offset in the page, bit, ' +
    'lane). If findings fell evenly on N values, c or more would do so with the binomial tail ' +
    'P(X ≥ c), X ~ B(n, 1/N); its bits less log2 of the values, the traits and the looks that ' +
    'were taken.',
  means: 'Independent accidents do not return to one place: a part is broken.',
  catches:
    'A failing accelerator, memory module, disk or link, long before each single finding would ' +
    'prove it.',
  quiet:
    'One event that hits many tensors counts once. The null says that findings fall evenly; of ' +
    'bits they do not (rules see bit 30 and 25 best), nor of ranks that hold unlike shares, so a bit ' +
    'or a rank is never given less than 1 in 4; tensors start at multiples of 64 bytes, so an offset ' +
    'in the page is never given less than 1 in 64.',
  needs:
    'two findings or more with a known trait, and how many values it could have had: bit, lane and ' +
    'offset in the page of lone elements, and the rank that wrote the part where the layout says, in ' +
    '`watch` and `postmortem`; no log or layout read so far names a host',
  cost: 'none',
};

/** Findings looked back on, newest last. */
const findingsKept = 256;

/**
 * The share that one bit may have of the findings of healthy hardware: flips are even, but what the
 * rules see of them is not (bit 30: all, bit 25: two thirds, the others a third or less).
 */
const commonestBit = 1 / 4;

const traits: readonly Trait[] = ['rank', 'host', 'pageOffset', 'bit', 'lane'];

const words: Readonly<Record<Trait, string>> = {
  rank: 'rank',
  host: 'host',
  pageOffset: 'offset in the page',
  bit: 'bit',
  lane: 'lane (index mod 32)',
};

/**
 * −log2 P(X ≥ count) of X ~ B(trials, p), to about 12 digits however small the tail is.
 * 0 ≤ count ≤ trials, 0 < p < 1.
 */
export function binomialTailBits(count: number, trials: number, p: number): number {
  let term = 0;
  for (let i = 0; i < count; i++) {
    term += Math.log2((trials - i) / (i + 1)) + Math.log2(p);
  }
  term += (trials - count) * Math.log2(1 - p);
  let sum = 0;
  let ratio = 1;
  for (let k = count; k <= trials; k++) {
    sum += ratio;
    ratio *= ((trials - k) / (k + 1)) * (p / (1 - p));
  }
  return Math.max(0, -(term + Math.log2(sum)));
}

interface Tally {
  readonly counts: ReadonlyMap<string, number>;
  readonly trials: number;
}

/** A checkpoint counts once for each value that it shows: its findings may be one event. */
function tallyTrait(trait: Trait, findings: readonly PastFinding[]): Tally {
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  for (const finding of findings) {
    const value = finding[trait];
    const key = `${finding.checkpoint}\0${value}`;
    if (value === null || seen.has(key)) continue;
    seen.add(key);
    counts.set(`${value}`, (counts.get(`${value}`) ?? 0) + 1);
  }
  return { counts, trials: seen.size };
}

/**
 * What every suspect of a trait pays: the other values, the other traits, and the looks before this
 * one.
 */
function penaltyOf(values: number, traitsTested: number, trials: number): number {
  return Math.log2(values) + Math.log2(traitsTested) + Math.log2(trials);
}

/**
 * Suspects that recur among past findings, heaviest first.
 *
 * Hand in each finding when it was opened, not each time that an open one is seen again: a flipped
 * weight stays flipped, and that is no second accident. Only the newest 256 are read. The null is
 * uniform (see `recurringSuspect`): ranks that hold very different shares of the bytes bend it.
 */
export function findRecurring(
  findings: readonly PastFinding[],
  choices: Choices,
  commonest: Commonest = {},
): RecurringFinding[] {
  const recent = findings.slice(-findingsKept);
  const tested = traits
    .map((trait) => ({ trait, values: choices[trait] ?? 0, ...tallyTrait(trait, recent) }))
    .filter(({ values, trials }) => values >= 2 && trials >= 2);
  const found: RecurringFinding[] = [];
  for (const { trait, values, counts, trials } of tested) {
    const least = Math.max(commonest[trait] ?? 0, trait === 'bit' ? commonestBit : 0);
    const p = Math.max(least, 1 / values);
    for (const [suspect, count] of counts) {
      if (count < 2) continue;
      const bits = binomialTailBits(count, trials, p);
      const net = bits - penaltyOf(values, tested.length, trials);
      const severity = severityOf(net);
      if (severity === null) continue;
      const message =
        `${words[trait]} ${suspect} is behind ${count} of ${trials} findings; ` +
        `if they fell evenly, that would happen ${evidenceWords(net)}`;
      found.push({
        rule: 'recurring-suspect',
        trait,
        suspect,
        count,
        of: trials,
        bits,
        net,
        severity,
        message,
      });
    }
  }
  return found.sort((a, b) => b.net - a.net);
}
