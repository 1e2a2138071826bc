/** From scores to bits of evidence, net of the number of tests. */
import { baseBits, evidenceSentence, severityOf } from './budget.ts';
import type { Evidence } from './finding.ts';
import { historyLength, type RunMemory } from './run-memory.ts';
import { type LineScores, type Score, scoreLine, stormOf } from './score-lines.ts';
import type { Subject } from './subject.ts';
import type { Line, Measure, StatisticalRule } from './suspicion.ts';
import { statisticalRules } from './suspicions.ts';

/** Outcome of the calibrated lines. */
export interface Weighed {
  readonly lines: readonly LineScores[];
  /** Rule lines tested, over all tensors; at least 1. */
  readonly tests: number;
  /** Octaves taken off the scores because the whole run moved. */
  readonly storm: number;
  /** At the line of an info and above. */
  readonly evidence: readonly Evidence[];
  /** Line id → its largest score in this validation. */
  readonly largest: ReadonlyMap<string, number>;
  /** The highest net bits of any test; null where none ran. */
  readonly highestNet: number | null;
}

interface Scale {
  readonly memory: RunMemory;
  readonly storm: number;
  readonly tests: number;
}

/** What a line has shown on any tensor of this run, or its constant where that is larger. */
function baseOf(line: Line, memory: RunMemory): number {
  return Math.max(line.floor, ...(memory.best.get(line.id) ?? []));
}

function evidenceOf(
  rule: StatisticalRule,
  { subject, value, reference }: Score,
  weight: { readonly measure: Measure; readonly bits: number; readonly tests: number },
): Evidence | null {
  const { measure, bits, tests } = weight;
  const net = bits - Math.log2(tests);
  const severity = severityOf(net);
  // Under the base nothing was calibrated: where ten tests or fewer run, a tensor that did nothing
  // would be an info.
  if (severity === null || !(measure.score >= measure.base)) return null;
  return {
    rule: rule.id,
    line: measure.line.id,
    tensor: subject.name,
    bits,
    net,
    severity,
    value,
    reference,
    element: rule.locate(measure.line)(subject.record, subject.pair, subject.rows),
    lanes: [],
    planes: [],
    message: `${rule.explain(measure)}. ${evidenceSentence(net, tests)}`,
  };
}

/**
 * Bits that a history shorter than the full one costs. Of n + 1 exchangeable values with an exponential
 * tail the last exceeds the largest of the others by x with probability e^(−x/scale)/(n + 1): the
 * constants were set where n is 12, and the largest of 4 is passed 13/5 times as often.
 */
export function shortnessBits(history: number): number {
  return Math.max(0, Math.log2((historyLength + 1) / (history + 1)));
}

/** Weighs one line; returns its evidence and its largest score and bits. */
function weighLine(
  rule: StatisticalRule,
  { line, scores }: LineScores,
  { memory, storm, tests }: Scale,
): { evidence: Evidence[]; score: number; bits: number } {
  const base = baseOf(line, memory);
  const evidence: Evidence[] = [];
  const largest = { score: -Infinity, bits: -Infinity };
  for (const each of scores) {
    const score = each.score - (line.calm ? 0 : storm);
    const bits = baseBits + (score - base) / line.octavesPerBit - shortnessBits(each.history);
    largest.score = Math.max(largest.score, score);
    largest.bits = Math.max(largest.bits, bits);
    const { value, reference } = each;
    const measure = { line, value, reference, score, base };
    const found = evidenceOf(rule, each, { measure, bits, tests });
    if (found) evidence.push(found);
  }
  return { evidence, ...largest };
}

/** Runs every calibrated line on every tensor. */
export function weighLines(subjects: readonly Subject[], memory: RunMemory): Weighed {
  const scored = statisticalRules.flatMap((rule) =>
    rule.lines.map((line) => ({ rule, scores: scoreLine(line, subjects) })),
  );
  const lines = scored.map(({ scores }) => scores);
  const storm = stormOf(lines);
  const run = lines.reduce((sum, { scores }) => sum + scores.length, 0);
  const tests = Math.max(1, run);
  const evidence: Evidence[] = [];
  const largest = new Map<string, number>();
  let highest = -Infinity;
  for (const { rule, scores } of scored) {
    if (scores.scores.length === 0) continue;
    const weighed = weighLine(rule, scores, { memory, storm, tests });
    evidence.push(...weighed.evidence);
    largest.set(scores.line.id, weighed.score);
    highest = Math.max(highest, weighed.bits - Math.log2(tests));
  }
  const highestNet = largest.size > 0 ? highest : null;
  return { lines, tests, storm, evidence, largest, highestNet };
}
