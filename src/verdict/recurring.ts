/** Looks back on what a run's damaged checkpoints showed: the same bit, lane, offset or rank again and again. */
import {
  type Choices,
  type Commonest,
  findRecurring,
  type PastFinding,
  recurringSuspect,
} from '../suspicions/recurring.ts';
import type { Finding, Result } from './result.ts';

/** A checkpoint that was called suspect or corrupt, with what was found in it. */
export interface Damaged {
  readonly checkpoint: string;
  readonly findings: readonly Finding[];
}

const lanes = 32;

const pageBytes = 4096;

/** The layout names a rank, not its share of the bytes; tensors start at multiples of 64 bytes. */
const commonest: Commonest = { rank: 1 / 4, pageOffset: 64 / pageBytes };

const nowhere = { rank: null, host: null, pageOffset: null, bit: null, lane: null };

/** Traits of a lone element; of damage in many places only the rank that wrote it says something. */
function traitsOf({
  element,
  count,
  offset,
  rank,
  bits,
}: Finding): Omit<PastFinding, 'checkpoint'> {
  const written = { ...nowhere, rank: rank ?? null };
  if (!element || count !== 1) return written;
  return {
    ...written,
    pageOffset: offset === undefined ? null : offset % pageBytes,
    bit: bits?.flip ?? null,
    lane: element.index % lanes,
  };
}

/** What is damaged, whatever of its state shows it; null where a finding shows no trait. */
function placeOf({ severity, element, count, parameter, tensor, rank }: Finding): string | null {
  const owner = parameter ?? tensor;
  if (severity === 'info' || owner === undefined) return null;
  if (element && count === 1) return `${owner}\0${element.index}`;
  return rank === undefined ? null : `${owner}\0rank ${rank}`;
}

/**
 * Each place in the first checkpoint that shows it: damage stays where it is and is found again in
 * every later checkpoint, which is no second accident.
 */
function sightingsOf(damaged: readonly Damaged[]): PastFinding[] {
  const seen = new Set<string>();
  return damaged.flatMap(({ checkpoint, findings }) =>
    findings.flatMap((finding) => {
      const key = placeOf(finding);
      if (key === null || seen.has(key)) return [];
      seen.add(key);
      return [{ checkpoint, ...traitsOf(finding) }];
    }),
  );
}

/** Values that each trait may take: of bits and offsets for the narrowest element, so never too sure. */
function choicesOf(damaged: readonly Damaged[], sightings: readonly PastFinding[]): Choices {
  const widths = damaged
    .flatMap(({ findings }) => findings)
    .flatMap(({ bits }) => (bits ? [4 * bits.head.replace(/^0x/, '').length] : []));
  const ranks = sightings.flatMap(({ rank }) => (rank === null ? [] : [rank]));
  const bit = Math.min(...widths);
  return {
    lane: lanes,
    ...(widths.length > 0 ? { bit, pageOffset: pageBytes / Math.max(1, bit / 8) } : {}),
    // At least the ranks that were seen, counted from 0.
    ...(ranks.length > 0 ? { rank: Math.max(...ranks) + 1 } : {}),
  };
}

/** Suspects that recur over `damaged`, oldest first; the last of them is the checkpoint at hand. */
export function recurringFindings(damaged: readonly Damaged[], next: string): Finding[] {
  const sightings = sightingsOf(damaged);
  return findRecurring(sightings, choicesOf(damaged, sightings), commonest).map(
    ({ rule, severity, count, net, message }) => ({
      rule,
      kind: 'statistics',
      certainty: 'suspected',
      severity,
      evidence_bits: net,
      count,
      message: `${message}. ${recurringSuspect.means}`,
      next,
    }),
  );
}

/** `result` with what recurs in it and in the damaged checkpoints before it; only for a damaged one. */
export function withRecurring(
  result: Result,
  checkpoint: string,
  before: () => readonly Damaged[],
): Result {
  if (result.verdict !== 'suspect' && result.verdict !== 'corrupt') return result;
  const findings = result.findings ?? [];
  const here = { checkpoint, findings };
  const next = findings[0]?.next ?? `laika validate ${checkpoint}`;
  const more = recurringFindings([...before(), here], next);
  return more.length === 0 ? result : { ...result, findings: [...findings, ...more] };
}
