/** Findings of `bits-agree` and `constant-buffers`: two copies that must be equal are not. */
import { bitWidth, hexadecimal, isFloatType } from '../records/float-bits.ts';
import { copyRules } from '../scan/plan.ts';
import type { CopyOutcome, ScanOutcome } from '../scan/scan.ts';
import { aboutTensor, severityOf } from './about.ts';
import { placeOf } from './place.ts';
import type { Finding } from './result.ts';

const meanings: Readonly<Record<CopyOutcome['reason'], string>> = {
  rounded: 'the 16-bit copy is not its float32 master rounded to nearest even',
  'same-step': 'two copies of one step differ',
  tied: 'two tensors that are one in the model differ',
  'seen-tied': 'two tensors that were one in the base differ',
  frozen: 'no optimizer holds this parameter, yet it changed',
  constant: 'no step of training writes this buffer, yet it changed',
  recomputed: 'a buffer that is computed, not trained, holds something else',
};

/** Share of a tensor's elements up to which a change looks like damage and not like another writer. */
const damagedShare = 1 / 16;

/** Reasons that the file does not declare: what looked frozen or tied may be written by something else. */
const inferred: ReadonlySet<CopyOutcome['reason']> = new Set(['frozen', 'seen-tied', 'constant']);

/**
 * A tensor that no optimizer holds may still be written by something else: a target network, an
 * average. Damage hits few elements of few tensors, or blanks one; another writer moves them all.
 */
function isDamage(outcome: CopyOutcome, all: ScanOutcome): boolean {
  if (!inferred.has(outcome.reason)) return true;
  const like = all.copies.filter((copy) => copy.reason === outcome.reason);
  const moved = like.filter((copy) => copy.record.different > 0);
  if (like.length >= 3 && moved.length > like.length / 2) return false;
  const { different, compared, zerosFound } = outcome.record;
  return different <= Math.max(1, compared * damagedShare) || zerosFound === compared;
}

export function copyFinding(outcome: CopyOutcome, all: ScanOutcome, next: string): Finding[] {
  const { reason, expected, found, record } = outcome;
  const certain = isDamage(outcome, all);
  const width = isFloatType(found.dtype) ? bitWidth(found.dtype) : 64;
  const differing = record.expectedBits ^ record.foundBits;
  const single = differing !== 0n && (differing & (differing - 1n)) === 0n;
  const flip = single ? differing.toString(2).length - 1 : null;
  const other = expected.name === found.name ? 'the base' : expected.name;
  return [
    {
      rule: certain ? copyRules[reason] : 'frozen-changed',
      kind: certain ? 'law' : 'lineage',
      certainty: certain ? 'confirmed' : 'suspected',
      severity: certain ? severityOf(found) : 'info',
      ...aboutTensor(found, found.parameter ?? (found.role === 'parameter' ? found.name : null)),
      ...placeOf(found, record.first),
      count: record.different,
      bits: {
        head: hexadecimal(record.foundBits, width),
        base: hexadecimal(record.expectedBits, width),
        ...(flip === null ? {} : { flip }),
      },
      message:
        `${meanings[reason]}: ${record.different} of ${record.compared} elements differ from ${other}` +
        (certain ? '' : '; most of it moved, so something else writes it and it is not judged'),
      next,
    },
  ];
}
