/** Looks back on what a run's damaged checkpoints showed: the same bit or lane again and again. */
import {
  type Choices,
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

/** Which element, whatever of its state shows it; null where a finding is about more than one, or about none. */
function elementOf({ severity, element, count, parameter, tensor }: Finding): string | null {
  if (severity === 'info' || !element || count !== 1) return null;
  return `${parameter ?? tensor}\0${element.index}`;
}

/**
 * Lone elements, each in the first checkpoint that shows it: damage stays where it is and is found
 * again in every later checkpoint, which is no second accident.
 */
function sightingsOf(damaged: readonly Damaged[]): PastFinding[] {
  const seen = new Set<string>();
  return damaged.flatMap(({ checkpoint, findings }) =>
    findings.flatMap((finding) => {
      const key = elementOf(finding);
      if (key === null || seen.has(key)) return [];
      seen.add(key);
      const bit = finding.bits?.flip ?? null;
      const lane = (finding.element?.index ?? 0) % lanes;
      return [{ checkpoint, rank: null, host: null, pageOffset: null, bit, lane }];
    }),
  );
}

/** Bits of the narrowest element that shows one: fewer values to fall on, so never too sure. */
function choicesOf(damaged: readonly Damaged[]): Choices {
  const widths = damaged
    .flatMap(({ findings }) => findings)
    .flatMap(({ bits }) => (bits ? [4 * bits.head.replace(/^0x/, '').length] : []));
  return widths.length > 0 ? { bit: Math.min(...widths), lane: lanes } : { lane: lanes };
}

/** Suspects that recur over `damaged`, oldest first; the last of them is the checkpoint at hand. */
export function recurringFindings(damaged: readonly Damaged[], next: string): Finding[] {
  return findRecurring(sightingsOf(damaged), choicesOf(damaged)).map(
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
